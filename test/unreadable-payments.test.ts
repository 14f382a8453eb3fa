import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startProcesses } from './trio-of-processes.ts';

test('given one record that cannot be read, the other payments are sent and listed, also after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'unreadable-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'payments.db');
  await using trio = await startProcesses({ DATABASE_URL: `file:${path}`, ALDEAMO_LATENCY_MS: '0' });
  const service = trio.url('payment-service');
  const keyed = (key: string) =>
    call<PaymentView>(
      'POST',
      `${service}/payments`,
      { amount: 100, customer_id: 'ana' },
      { 'idempotency-key': key },
    );
  const bad = (await keyed('bad')).body.payment_id;
  const good = (await pay(service, { customer_id: 'bea' })).body.payment_id;
  const run = (sql: string) => {
    using db = new DatabaseSync(path, { timeout: 5000 });
    db.exec(sql);
  };
  const makeDue = () =>
    run("UPDATE payments SET notification_status = 'pending', notification_service = NULL, due_at = 1");
  const statusOf = async (id: string) =>
    (await call<PaymentView>('GET', `${service}/payments/${id}`)).body.notification_status;
  run(`UPDATE payments SET attempts = '[{"phone": "+573001234567"' WHERE payment_id = '${bad}'`);
  run('UPDATE idempotency_keys SET answer_status = NULL, answer_body = NULL');
  makeDue();
  await eventually(
    () => statusOf(good),
    (status) => status === 'sent',
    20_000,
  );

  const page = await call<{ data: PaymentView[] }>('GET', `${service}/payments`);
  expect(page.status).toBe(200);
  expect(page.body.data.map(({ payment_id }) => payment_id)).toEqual([good]);
  const answers = await Promise.all([
    call('GET', `${service}/payments/${bad}`),
    call('POST', `${service}/payments/${bad}/notification/resend`, { reason: 'the customer called' }),
    keyed('bad'),
  ]);
  for (const { status, headers, body } of answers) {
    expect([status, headers.get('content-type')]).toEqual([500, 'application/problem+json']);
    expect(body).toMatchObject({ type: '/problems/payment-unreadable' });
  }
  const named = async () =>
    (await trio.logs('payment-service')).filter(
      ({ level, payment_id }) => level === 50 && payment_id === bad,
    );
  expect(await eventually(named, ({ length }) => length > 0, 5000)).toHaveLength(1);
  const metrics = await (await fetch(`${service}/metrics`)).text();
  expect(metrics).toMatch(/^paysms_unreadable_payments_total [1-9]/m);

  makeDue();
  await trio.kill('payment-service');
  await trio.start('payment-service');
  await eventually(
    () => statusOf(good),
    (status) => status === 'sent',
    20_000,
  );
  // Once for each of the two processes.
  expect(await eventually(named, ({ length }) => length > 1, 10_000)).toHaveLength(2);
  expect(JSON.stringify(await trio.logs('payment-service'))).not.toContain('3001234567');
});

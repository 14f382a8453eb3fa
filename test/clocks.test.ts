import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startPostgres } from './postgres-server.ts';
import type { ServiceName } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

const hour = 3_600_000;
const lease = { PROVIDER_TIMEOUT_MS: '1000', GATEWAY_TIMEOUT_MS: '800', NOTIFICATION_LEASE_MS: '2500' };
/** A pending notification is tried again within seconds, and its circuits stay closed. */
const settings = {
  ...lease,
  ALDEAMO_LATENCY_MS: '0',
  TWILIO_LATENCY_MS: '0',
  NOTIFICATION_RETRY_BASE_MS: '2000',
  NOTIFICATION_RETRY_MAX_MS: '2000',
  CIRCUIT_CONSECUTIVE_FAILURES: '1000',
  CIRCUIT_VOLUME_THRESHOLD: '10',
};

/** The trio, and the means to set the wall clock of payment-service. */
async function startWithClock(more: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'clock-'));
  const file = join(folder, 'ahead-ms');
  /** Replaced at once, because a service may read it at any time. */
  async function setWall(aheadMs: number): Promise<void> {
    await writeFile(`${file}.new`, String(aheadMs));
    await rename(`${file}.new`, file);
  }
  await setWall(0);
  const preload = resolve('test/doubles/wall-clock.ts');
  const prelude = `export WALL_CLOCK_FILE='${file}' NODE_OPTIONS='--import=${preload}';`;
  const trio = await startProcesses({ ...settings, ...more }, { prelude });
  onTestFinished(async () => {
    await trio[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const payments = trio.url('payment-service');
  const setSandbox = (service: ServiceName, changed: Record<string, number>) =>
    call('POST', `${trio.url(service)}/sandbox`, changed);
  return {
    ...{ trio, payments, setWall, setSandbox },
    async setFailureRate(failure_rate: number) {
      await setSandbox('aldeamo-service', { failure_rate });
      await setSandbox('twilio-service', { failure_rate });
    },
    find: async ({ payment_id }: PaymentView) =>
      (await call<PaymentView>('GET', `${payments}/payments/${payment_id}`)).body,
    metric: async (name: string) => {
      const text = await (await fetch(`${payments}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    },
    logged: async (level: number) =>
      (await trio.logs('payment-service')).filter((line) => line.level === level).map(({ msg }) => msg),
  };
}
type Fixture = Awaited<ReturnType<typeof startWithClock>>;

async function payWhileDown({ payments, setFailureRate }: Fixture): Promise<PaymentView> {
  await setFailureRate(1);
  const { body } = await pay(payments, { customer_id: '1' });
  expect(body.notification_status).toBe('pending');
  return body;
}

/** Fails unless it is sent long before the wall clock comes to the time at which it was due. */
const untilSent = ({ find }: Fixture, payment: PaymentView) =>
  eventually(
    () => find(payment),
    ({ notification_status }) => notification_status === 'sent',
    30_000,
  );

describe('given a wall clock set back by an hour', () => {
  test('a pause of a second ends after a second', async () => {
    const { payments, setWall, setSandbox } = await startWithClock();
    await setSandbox('aldeamo-service', { throttle_rate: 1, retry_after_s: 1 });
    const serviceOf = async () =>
      (await pay(payments, { customer_id: '1' })).body.notification_service as string;
    expect(await serviceOf()).toBe('Twilio');
    await setWall(-hour);
    await setSandbox('aldeamo-service', { throttle_rate: 0 });
    await eventually(serviceOf, (service) => service === 'Aldeamo', 20_000);
  });

  test('a pending notification goes out, and the age of the backlog is not negative', async () => {
    const fixture = await startWithClock();
    const payment = await payWhileDown(fixture);
    await fixture.setWall(-hour);
    expect(await fixture.metric('paysms_notification_backlog_oldest_age_seconds')).toBeGreaterThanOrEqual(0);
    expect(await fixture.metric('paysms_clock_ahead_seconds')).toBeCloseTo(-hour / 1000, 0);
    await fixture.setFailureRate(0);
    await untilSent(fixture, payment);
  });

  test('a pending notification goes out after a restart', async () => {
    const fixture = await startWithClock();
    const payment = await payWhileDown(fixture);
    await fixture.trio.kill('payment-service');
    await fixture.setWall(-hour);
    await fixture.setFailureRate(0);
    await fixture.trio.start('payment-service');
    await untilSent(fixture, payment);
  });
});

test('given PostgreSQL, a notification that was recorded by a clock an hour ahead goes out after a restart', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres[Symbol.asyncDispose]());
  const url = await postgres.createDatabase();
  const fixture = await startWithClock({ DATABASE_URL: url, SENDS_DATABASE_URL: url });
  const payment = await payWhileDown(fixture);
  await fixture.trio.kill('payment-service');
  const client = new pg.Client(url);
  await client.connect();
  const late = "+ interval '1 hour'";
  await client.query(
    `UPDATE payments SET due_at = due_at ${late}, next_attempt_at = next_attempt_at ${late}`,
  );
  await client.end();
  await fixture.setFailureRate(0);
  await fixture.trio.start('payment-service');
  await untilSent(fixture, payment);
});

describe('given a wall clock set ahead by two days', () => {
  test('nothing expires: a pending notification goes out, and a key and a text are as they were', async () => {
    const fixture = await startWithClock({ PAYMENT_RETENTION_MS: String(25 * hour) });
    const { payments, setWall, metric, logged, find } = fixture;
    const url = `${payments}/payments`;
    const order = { amount: 100, customer_id: '2' };
    const key = { 'idempotency-key': 'order-1' };
    const first = await call<PaymentView>('POST', url, order, key);
    const payment = await payWhileDown(fixture);

    await setWall(48 * hour);
    expect(await metric('paysms_clock_ahead_seconds')).toBeCloseTo(48 * 3600, 0);
    // Longer than a lease, so that the outbox has claimed the notification more than once.
    await eventually(
      () => find(payment),
      ({ notification }) => notification.attempts.length > payment.notification.attempts.length + 3,
      30_000,
    );
    expect((await find(payment)).notification_status).toBe('pending');
    expect(await logged(50)).toEqual([
      'the wall clock was set ahead, or the machine was suspended; nothing expires for five minutes',
    ]);
    const repeated = await call<PaymentView>('POST', url, order, key);
    expect(repeated.body.payment_id).toBe(first.body.payment_id);
    expect(typeof (await find(first.body)).notification.message).toBe('string');
    await fixture.setFailureRate(0);
    await untilSent(fixture, payment);
  });
});

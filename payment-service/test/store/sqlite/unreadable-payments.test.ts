import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import type { UnreadableObserver } from '../../../src/store/store.ts';
import { paymentNumber, recordOf, running } from '../store-contract.ts';
import { describeUnreadable } from '../unreadable-payments.ts';

const directory = mkdtempSync(join(tmpdir(), 'unreadable-'));
afterAll(() => rmSync(directory, { recursive: true }));
const newPath = () => join(directory, `${randomUUID()}.db`);

async function open(leaseMs: number, onUnreadable: UnreadableObserver = () => {}, path = newPath()) {
  const store = await openSqliteStore({ path, leaseMs, onUnreadable });
  onTestFinished(() => store.close());
  const db = new DatabaseSync(path, { timeout: 5000 });
  onTestFinished(() => db.close());
  return { store, run: async (sql: string) => db.exec(sql) };
}

describeUnreadable(
  'SQLite',
  open,
  [
    `attempts = 'no JSON'`,
    `attempts = ''`,
    `attempts = '{}'`,
    `attempts = '["not_sent"]'`,
    `attempts = '[{"provider": "Aldeamo", "outcome": null}]'`,
    `notification_status = 'lost'`,
    `notification_service = 'Infobip'`,
    `created_at = 'yesterday'`,
    `expires_at = ''`,
    `next_attempt_at = '2026-13-01T00:00:00.000Z'`,
    `amount_minor = 9007199254740993`,
    `amount_minor = -1`,
    `retries = 9223372036854775807`,
    `encoding = 'EBCDIC'`,
    `message = ''`,
    `phone = 'x'`,
    `customer_id = ''`,
  ],
  (id) => [
    `UPDATE payments SET attempts = replace(attempts, 'not_sent', 'perhaps') WHERE payment_id = '${id}'`,
  ],
);

test.each([
  `'no JSON'`,
  `'["a"]'`,
  `'[1]'`,
  `'{"outcome": null}'`,
  `''`,
])('given attempts that are %s, the store opens, and ends the leases of other payments', async (attempts) => {
  const path = newPath();
  const first = await openSqliteStore({ path, leaseMs: 60_000 });
  for (const number of [1, 2]) await first.insert(paymentNumber(number, { attempts: running() }));
  await first.close();
  const db = new DatabaseSync(path);
  db.exec(`UPDATE payments SET attempts = ${attempts} WHERE payment_id = '${paymentNumber(1).payment_id}'`);
  db.close();
  const { store } = await open(60_000, undefined, path);
  expect(await store.claimDue(10)).toMatchObject([{ payment_id: paymentNumber(2).payment_id }]);
});

test('given a key whose record cannot be read, other payments that are written with it are stored', async () => {
  const { store, run } = await open(60_000);
  await store.insert(paymentNumber(1), recordOf('key', paymentNumber(1)));
  await run('UPDATE idempotency_keys SET answer_status = 9007199254740993');
  const [replay, other] = await Promise.allSettled([
    store.insert(paymentNumber(2), recordOf('key', paymentNumber(2))),
    store.insert(paymentNumber(3)),
  ]);
  expect([replay?.status, other?.status]).toEqual(['rejected', 'fulfilled']);
  expect(await store.find(paymentNumber(3).payment_id)).toBeDefined();
});

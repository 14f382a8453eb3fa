import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { copySqliteToPostgres } from '../../../src/store/copy/sqlite-to-postgres.ts';
import type { EventPosition, WebhookDelivery } from '../../../src/store/events.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { paymentNumber } from '../store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'copied-events-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const log = createLogger({ level: 'silent' });
const created = '2026-01-02T03:04:05.678Z';
const past = Date.parse('2026-02-03T04:05:06.789Z');
const future = Date.parse('2999-02-03T04:05:06.789Z');

interface Row {
  number: number;
  delivery_status: string | null;
  tries: number;
  reason: string | null;
  tried_at: string | null;
  due_at: number | null;
}
const untried = { tries: 0, reason: null, tried_at: null, due_at: null };

/** Numbers 1 and 2 were deleted by their retention, 8 and 9 as well, by a clock that was set back. */
const rows: Row[] = [
  { number: 3, delivery_status: null, ...untried },
  { number: 4, delivery_status: 'delivered', ...untried, tries: 2, tried_at: created },
  { number: 5, delivery_status: 'dead', ...untried, tries: 8, reason: 'http_500', tried_at: created },
  { number: 6, delivery_status: 'pending', ...untried, due_at: past },
  { number: 7, delivery_status: 'pending', tries: 1, reason: 'timeout', tried_at: created, due_at: future },
];
const highest = 9;

/** Ids that are in another order than the numbers, as those of a clock that was set back. */
const idOf = (number: number) => `evt_${String(100 - number).padStart(32, '0')}`;
const dataOf = (number: number) => `{"amount":0.10,"ñ":"😀 \\u0000 ${number}"}`;

/** Written as they are stored, because no store deletes some events and lets others wait. */
async function grow(): Promise<string> {
  const path = join(directory, `${randomUUID()}.db`);
  await (await openSqliteStore({ path, leaseMs })).close();
  const db = new DatabaseSync(path);
  const insert = db.prepare(`
    INSERT INTO events (number, event_id, payment_id, type, data, created_at, delivery_status, tries, reason, tried_at, due_at)
    VALUES (?, ?, ?, 'payment.notification.sent', ?, ?, ?, ?, ?, ?, ?)`);
  const last = { number: highest, delivery_status: null, ...untried };
  for (const { number, delivery_status, tries, reason, tried_at, due_at } of [...rows, last])
    insert.run(
      ...[number, idOf(number), paymentNumber(number).payment_id, dataOf(number), created],
      ...[delivery_status, tries, reason, tried_at, due_at],
    );
  db.exec(`DELETE FROM events WHERE number = ${highest}`);
  db.close();
  return path;
}

async function open(url: string): Promise<Store> {
  const store = await openPostgresStore({ url, leaseMs, events: 'webhooks', log });
  onTestFinished(() => store.close());
  return store;
}

async function copied(batchSize = 1000) {
  const [path, url] = [await grow(), await createDatabase(inject('postgresPort'))];
  const counts = await copySqliteToPostgres({ path, url, batchSize });
  return { path, url, counts, store: await open(url) };
}

const numbersFrom = async (store: Store, after?: EventPosition) =>
  (await store.readEvents({ after, limit: 10 }))?.events.map(({ payment_id }) => Number(payment_id.slice(4)));

test('the events are copied with their places, so that a reader goes on with the cursor that it has', async () => {
  const { store, counts } = await copied();
  expect(counts.filter(({ of }) => of.startsWith('events'))).toEqual([
    { of: 'events', source: 5n, target: 5n },
    { of: 'events pending', source: 2n, target: 2n },
  ]);
  const at = (number: number) => ({ transaction: '0', number });
  const page = await store.readEvents({ after: at(4), limit: 2 });
  expect(page).toStrictEqual({
    events: [5, 6].map((number) => ({
      event_id: idOf(number),
      payment_id: paymentNumber(number).payment_id,
      type: 'payment.notification.sent',
      data: dataOf(number),
      created_at: created,
    })),
    position: at(6),
    recorded_at: created,
    has_more: true,
  });
  expect(await numbersFrom(store)).toEqual([3, 4, 5, 6, 7]);
  // All that SQLite has given, and no more.
  expect(await numbersFrom(store, at(highest))).toEqual([]);
  expect(await numbersFrom(store, at(highest + 1))).toBeUndefined();
  await store.insert(paymentNumber(99, { notification_status: 'held', reason: 'phone_unknown' }));
  await vi.waitFor(async () => expect(await numbersFrom(store, at(highest))).toEqual([99]), 10_000);
  expect((await store.readEvents({ after: at(highest), limit: 1 }))?.position?.number).toBe(highest + 1);
});

test('the deliveries of events are copied as they were, and go on', async () => {
  const { store } = await copied();
  const page = await store.listWebhooks({ limit: 10, starting_after: undefined, status: undefined });
  const expected = rows.filter(({ delivery_status }) => delivery_status !== null);
  expect(page?.deliveries).toEqual(
    expected.map(
      ({ number, delivery_status, due_at, tries, reason, tried_at }): WebhookDelivery => ({
        event_id: idOf(number),
        type: 'payment.notification.sent',
        payment_id: paymentNumber(number).payment_id,
        status: delivery_status as WebhookDelivery['status'],
        ...{ tries, reason, tried_at, created_at: created },
        next_try_at: due_at === null ? null : new Date(due_at).toISOString(),
      }),
    ),
  );
  expect((await store.claimWebhooks(10, leaseMs)).map(({ event_id }) => event_id)).toEqual([idOf(6)]);
});

test('given a copy of events that was interrupted after each batch, the next one resumes it', async () => {
  const [path, url] = [await grow(), await createDatabase(inject('postgresPort'))];
  const seen: string[] = [];
  const interrupted = () => {
    let isBegun = false;
    return copySqliteToPostgres({
      ...{ path, url, batchSize: 2 },
      report({ table, copied, total }) {
        if (table === 'events' && isBegun) throw new Error(`${copied} of ${total}`);
        isBegun = table === 'events';
      },
    }).catch(({ message }: Error) => void seen.push(message));
  };
  let counts = await interrupted();
  while (!counts) counts = await interrupted();
  expect(seen).toEqual(['2 of 5', '4 of 5', '5 of 5']);
  expect(counts.filter(({ source, target }) => source !== target)).toEqual([]);
  const store = await open(url);
  expect(await numbersFrom(store)).toEqual([3, 4, 5, 6, 7]);
  expect(await numbersFrom(store, { transaction: '0', number: highest })).toEqual([]);
});

test('given a PostgreSQL database with an event of its own, the copy is refused', async () => {
  const { path, url, store } = await copied();
  await store.insert(paymentNumber(99, { notification_status: 'held', reason: 'phone_unknown' }));
  const client = new pg.Client(url);
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('DELETE FROM payments');
  await expect(copySqliteToPostgres({ path, url })).rejects.toThrow(
    'the PostgreSQL database has events that',
  );
});

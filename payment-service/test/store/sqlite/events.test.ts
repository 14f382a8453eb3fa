import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { StatementSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Payment } from '../../../src/domain/payment.ts';
import { newSuppression } from '../../../src/domain/suppression.ts';
import type { EventRecording, WebhookSettlement } from '../../../src/store/events.ts';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import { openWriter } from '../../../src/store/sqlite/writer.ts';
import type { WriterRequest } from '../../../src/store/sqlite/writer-client.ts';
import type { Write } from '../../../src/store/sqlite/writes.ts';
import { paymentNumber, recordOf, running } from '../store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'sqlite-events-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const newPath = () => join(directory, `${randomUUID()}.db`);

async function open(events: EventRecording, path = newPath()) {
  const store = await openSqliteStore({ path, leaseMs, events });
  onTestFinished(() => store.close());
  return store;
}

const phone = '+573001234567';
const payment = paymentNumber(1, { phone, attempts: running() });
const sent: Payment = { ...payment, notification_status: 'sent', attempts: [] };

describe('the writes of a payment', () => {
  /** The writes that its thread is given for a payment, an amended one, and one to a suppressed phone. */
  async function writesOf(events: EventRecording): Promise<Write[]> {
    const started = once(process, 'worker') as Promise<[Worker]>;
    const store = await open(events);
    const [thread] = await started;
    const send = vi.spyOn(thread, 'postMessage');
    await store.insert(payment, recordOf('key-1', payment));
    await store.update(sent, { status: 201, body: '{}' }, payment);
    await store.amend({ ...sent, notification_status: 'delivered' }, sent);
    await store.putSuppression(
      newSuppression({ phone, source: 'admin', reason: 'x', provider: null, payment_id: null }),
    );
    await store.insert(paymentNumber(2, { phone }));
    const requests = send.mock.calls.map(([request]) => request as WriterRequest);
    return requests.flatMap((request) => (typeof request === 'string' ? [] : request));
  }

  /** The statements of the writes, carried out on this thread. */
  function statementsOf(writes: Write[], events: EventRecording): string[] {
    const writer = openWriter({ path: newPath(), now: Date.now(), events });
    onTestFinished(() => writer.close());
    const statements: string[] = [];
    for (const method of ['run', 'get', 'all'] as const) {
      const carryOut = StatementSync.prototype[method] as (...args: unknown[]) => unknown;
      const spy = vi.spyOn(StatementSync.prototype, method);
      onTestFinished(() => spy.mockRestore());
      spy.mockImplementation(function (this: StatementSync, ...args: unknown[]) {
        const [start = ''] = /^\s*\w+ (?:INTO |\S+ FROM )?\w+/.exec(this.sourceSQL) ?? [];
        statements.push(start.trim());
        return carryOut.apply(this, args) as never;
      });
    }
    for (const { error } of writes.flatMap(
      (write) => writer.commit([write]).results as { error?: unknown }[],
    ))
      expect(error).toBeUndefined();
    return statements;
  }

  const ofInsert = ['SELECT 1 FROM suppressions', 'INSERT INTO payments'];
  const ofPayment = [
    ...['SELECT * FROM idempotency_keys', ...ofInsert, 'INSERT INTO idempotency_keys'],
    ...['UPDATE payments', 'UPDATE idempotency_keys'],
    'UPDATE payments',
    ...['INSERT INTO suppressions', 'SELECT suppression_id'],
    ...ofInsert,
  ];

  test('have the statements of those without events, if none are recorded, and no more arguments', async () => {
    const writes = await writesOf('off');
    expect(writes.map(({ args }) => args.length)).toEqual([3, 4, 3, 1, 3]);
    expect(statementsOf(writes, 'off')).toEqual(ofPayment);
  });

  test.each([
    'feed',
    'webhooks',
  ] as const)('have one more statement for each event (%s)', async (recording) => {
    const statements = statementsOf(await writesOf(recording), recording);
    expect(statements.filter((sql) => sql === 'INSERT INTO events')).toHaveLength(3);
    expect(statements.filter((sql) => sql !== 'INSERT INTO events')).toEqual(ofPayment);
  });
});

describe('webhook deliveries', () => {
  const now = Date.parse('2026-03-01T12:00:00.000Z');
  const at = (ms: number) => new Date(now + ms).toISOString();
  beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  const delivered: Payment = { ...sent, notification_status: 'delivered' };

  /** A store with the events `sent` and `delivered` of a payment. */
  async function openWithTwo(path = newPath()) {
    const store = await open('webhooks', path);
    await store.insert(payment);
    await store.update(sent, undefined, payment);
    await store.update(delivered, undefined, sent);
    return store;
  }
  type Ending = (claimed: { event_id: string; tries: number }) => WebhookSettlement;
  const endings: [string, Ending][] = [
    ['as a dead letter', (claimed) => ({ ...claimed, status: 'dead', reason: 'http_500' })],
    ['delivered', (claimed) => ({ ...claimed, status: 'delivered' })],
  ];

  async function claimOne(store: Awaited<ReturnType<typeof open>>) {
    const claimed = await store.claimWebhooks(10, leaseMs);
    expect(claimed).toHaveLength(1);
    const [{ event_id, tries } = { event_id: '', tries: 0 }] = claimed;
    return { event_id, tries };
  }
  const nextTries = async (store: Awaited<ReturnType<typeof open>>) =>
    (await store.listWebhooks({ limit: 10, starting_after: undefined, status: undefined }))?.deliveries.map(
      ({ next_try_at }) => next_try_at,
    );

  test('a claim that finds none commits nothing to the disk', async () => {
    const path = newPath();
    const store = await openWithTwo(path);
    await store.claimWebhooks(1, leaseMs);
    const log = readFileSync(`${path}-wal`);
    expect(await store.claimWebhooks(1, leaseMs)).toEqual([]);
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
  });

  test('an event that follows a failed one is postponed with it', async () => {
    const store = await openWithTwo();
    const failed = { status: 'pending', reason: 'timeout', wait_ms: 5000 } as const;
    await store.settleWebhooks([{ ...(await claimOne(store)), ...failed }]);
    expect(await nextTries(store)).toEqual([at(5000), at(5000)]);
    vi.setSystemTime(now + 5000);
    await store.settleWebhooks([{ ...(await claimOne(store)), status: 'delivered' }]);
    expect(await nextTries(store)).toEqual([at(5000), null]);
    await claimOne(store);
  });

  test.each<[string, Ending]>(
    endings,
  )('an event that is recorded while one before it is delivered is due once that has ended (%s)', async (_name, end) => {
    const store = await open('webhooks');
    await store.insert(payment);
    await store.update(sent, undefined, payment);
    const first = await claimOne(store);
    await store.update(delivered, undefined, sent);
    expect(await nextTries(store)).toEqual([at(leaseMs), at(leaseMs)]);
    vi.setSystemTime(now + 1);
    await store.settleWebhooks([end(first)]);
    expect(await nextTries(store)).toEqual([at(1), null]);
  });

  test('an event that is recorded while one before it waits is postponed with it', async () => {
    const store = await open('webhooks');
    await store.insert(payment);
    await store.update(sent, undefined, payment);
    const failed = { status: 'pending', reason: 'timeout', wait_ms: 5000 } as const;
    await store.settleWebhooks([{ ...(await claimOne(store)), ...failed }]);
    await store.update(delivered, undefined, sent);
    await store.insert(paymentNumber(2, { notification_status: 'held' }));
    expect(await nextTries(store)).toEqual([at(0), at(5000), at(5000)]);
  });

  test.each<[string, Ending]>(
    endings,
  )('the end of a replayed event (%s) leaves the event before it to its lease', async (_name, end) => {
    const store = await openWithTwo();
    const first = await claimOne(store);
    await store.settleWebhooks([{ ...first, status: 'dead', reason: 'http_500' }]);
    const second = await claimOne(store);
    await store.replayWebhook(first.event_id);
    await store.claimWebhooks(1, leaseMs);
    await store.settleWebhooks([end(second)]);
    expect(await nextTries(store)).toEqual([null, at(leaseMs)]);
    expect(await store.claimWebhooks(10, leaseMs)).toEqual([]);
  });

  test('given a crash, end with their lease, and come again then', async () => {
    const path = newPath();
    const first = await openWithTwo(path);
    const claimed = await claimOne(first);
    const second = await open('webhooks', path);
    vi.setSystemTime(now + leaseMs - 1);
    expect(await second.claimWebhooks(10, leaseMs)).toEqual([]);
    vi.setSystemTime(now + leaseMs);
    expect(await claimOne(second)).toEqual(claimed);
  });
});

test('given a feed of which everything was deleted, gives new events later places after a restart, too', async () => {
  const path = newPath();
  const first = await openSqliteStore({ path, leaseMs, events: 'feed' });
  await first.insert(paymentNumber(1, { notification_status: 'held' }));
  const after = (await first.readEvents({ after: undefined, limit: 1 }))?.position;
  expect(await first.deleteEvents(Date.now(), 10)).toBe(1);
  await first.close();
  const second = await open('feed', path);
  expect(await second.readEvents({ after, limit: 1 })).toEqual({
    events: [],
    position: after,
    has_more: false,
  });
  await second.insert(paymentNumber(2, { notification_status: 'held' }));
  expect(await second.readEvents({ after, limit: 1 })).toMatchObject({
    events: [{ payment_id: paymentNumber(2).payment_id }],
    position: { transaction: '0', number: 2 },
  });
});

test.each([
  ['0', 2],
  ['1', 1],
])('given a place that a restored database has not reached (%s, %i), has no page', async (transaction, number) => {
  const store = await open('feed');
  await store.insert(paymentNumber(1, { notification_status: 'held' }));
  expect(await store.readEvents({ after: { transaction, number }, limit: 1 })).toBeUndefined();
  expect(await store.readEvents({ after: { transaction: '0', number: 1 }, limit: 1 })).toBeDefined();
});

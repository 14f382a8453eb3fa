import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { connectTo } from '../../../../test/connect-to-postgres.ts';
import { createDatabase } from '../../../../test/postgres-server.ts';
import type { Payment } from '../../../src/domain/payment.ts';
import type { EventPosition, EventRecording } from '../../../src/store/events.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { paymentNumber, recordOf } from '../store-contract.ts';

const leaseMs = 10_000;
const log = createLogger({ level: 'silent' });
const newDatabase = () => createDatabase(inject('postgresPort'));

async function open(url: string, events: EventRecording = 'feed'): Promise<Store> {
  const store = await openPostgresStore({ url, leaseMs, events, log });
  onTestFinished(() => store.close());
  return store;
}

/** Two replicas on one database, and a connection to it. */
async function openReplicas(events: EventRecording = 'feed') {
  const url = await newDatabase();
  const [one, other] = [await open(url, events), await open(url, events)];
  return { url, one, other, client: await connectTo(url) };
}

const held = (number: number) =>
  paymentNumber(number, { notification_status: 'held', reason: 'phone_unknown' });
const numberOf = ({ payment_id }: Pick<Payment, 'payment_id'>) => Number(payment_id.slice(4));

/** An event that a replica writes in the transaction of this connection. */
const insertEvent = (client: pg.Client, number: number) =>
  client.query(
    `INSERT INTO events (event_id, payment_id, type, data, created_at)
     VALUES ($1, $2, 'payment.notification.held', '{}', now())`,
    [`evt_of_${number}`, held(number).payment_id],
  );

/** A reader that follows the cursor, and returns what is new. */
function follow(store: Store, limit = 100) {
  let after: EventPosition | undefined;
  return async () => {
    const page = await store.readEvents({ after, limit });
    after = page?.position;
    return page?.events.map(numberOf) ?? [];
  };
}

/** Other transactions in the cluster can hold the feed back, too. */
async function readUntil(read: () => Promise<number[]>, number: number): Promise<number[]> {
  const seen: number[] = [];
  const finds = async () => {
    seen.push(...(await read()));
    return seen.includes(number);
  };
  await vi.waitUntil(finds, { timeout: 10_000, interval: 5 });
  return seen;
}

describe('a reader of the feed, given a commit that is held back', () => {
  test('sees its event, which has the smaller number, and those that were committed before it', async () => {
    const { one, other, client } = await openReplicas();
    const read = follow(one);
    await other.insert(held(1));
    expect(await readUntil(read, 1)).toEqual([1]);
    await client.query('BEGIN');
    await insertEvent(client, 2);
    await other.insert(held(3));
    await one.insert(held(4));
    expect(await read()).toEqual([]);
    await client.query('COMMIT');
    expect(await readUntil(read, 4)).toEqual([2, 3, 4]);
  });

  test('sees its event, which has the larger number, before those of later transactions', async () => {
    const { one, other, client } = await openReplicas();
    const read = follow(one);
    await client.query('BEGIN');
    await client.query('SELECT pg_current_xact_id()');
    await other.insert(held(1));
    await insertEvent(client, 2);
    await one.insert(held(3));
    expect(await read()).toEqual([]);
    await client.query('COMMIT');
    expect(await readUntil(read, 3)).toEqual([2, 1, 3]);
  });

  test('sees those of the others once it is rolled back', async () => {
    const { one, other, client } = await openReplicas();
    const read = follow(one);
    await client.query('BEGIN');
    await insertEvent(client, 1);
    await other.insert(held(2));
    expect(await read()).toEqual([]);
    await client.query('ROLLBACK');
    expect(await readUntil(read, 2)).toEqual([2]);
  });
});

test('a reader that follows the feed sees each event once, those of a payment in their order, whatever the order of the commits', {
  timeout: 60_000,
}, async () => {
  const { url, one, other } = await openReplicas();
  const readers = [follow(one, 7), follow(other, 100)];
  const seen: number[][] = [[], []];
  let areWriting = true;
  const reading = readers.map(async (read, index) => {
    for (let isLast = false; !isLast; isLast = !areWriting) {
      for (let more = await read(); more.length > 0; more = await read()) seen[index]?.push(...more);
      await delay(Math.random() * 3);
    }
  });
  const written: number[] = [];
  // Connections whose transactions take a while, before and after the event has its number.
  const slowly = Array.from({ length: 6 }, async (_, writer) => {
    const client = await connectTo(url);
    for (let each = 0; each < 25; each += 1) {
      const number = 10_000 + writer * 100 + each;
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      await delay(Math.random() * 10);
      await insertEvent(client, number);
      await delay(Math.random() * 10);
      const isCommitted = Math.random() < 0.8;
      await client.query(isCommitted ? 'COMMIT' : 'ROLLBACK');
      if (isCommitted) written.push(number);
    }
  });
  const batched = Array.from({ length: 200 }, async (_, number) => {
    const store = number % 2 ? one : other;
    await delay(Math.random() * 300);
    await store.insert(held(number));
    const failed = { ...held(number), notification_status: 'failed' as const };
    await store.update(failed, undefined, held(number));
    written.push(number, number);
  });
  await Promise.all([...slowly, ...batched]);
  await one.insert(held(99_999));
  written.push(99_999);
  await vi.waitUntil(() => seen.every((numbers) => numbers.includes(99_999)), { timeout: 20_000 });
  areWriting = false;
  await Promise.all(reading);
  for (const numbers of seen) expect(numbers.toSorted()).toEqual(written.toSorted());
  expect(seen[0]).toEqual(seen[1]);
  const all = await one.readEvents({ after: undefined, limit: 10_000 });
  for (const of of Map.groupBy(all?.events ?? [], numberOf).values())
    expect(of.map(({ type }) => type.split('.').at(-1))).toEqual(
      of.length === 1 ? ['held'] : ['held', 'failed'],
    );
});

describe('given a database that was restored from one that has had more transactions', () => {
  /** As pg_dump restores them into another cluster. */
  const setAhead = (client: pg.Client, from: number) =>
    client.query(
      `UPDATE events SET transaction_id = (transaction_id::text::bigint + 1000000000)::text::xid8
       WHERE payment_id >= $1`,
      [held(from).payment_id],
    );

  test('its events are read in their order, before those to come', async () => {
    const { url, one, client } = await openReplicas();
    for (const number of [3, 1, 4, 2]) await one.insert(held(number));
    await setAhead(client, 2);
    const read = follow(one);
    expect(await readUntil(read, 1)).toEqual([1]);
    const restored = await open(url);
    expect(await readUntil(read, 2)).toEqual([3, 4, 2]);
    await restored.insert(held(5));
    expect(await readUntil(read, 5)).toEqual([5]);
    expect(await readUntil(follow(restored), 5)).toEqual([1, 3, 4, 2, 5]);
  });

  test('its events are read in their order, also if several replicas find them', async () => {
    const { url, one, client } = await openReplicas();
    await client.query(`
      INSERT INTO events (event_id, payment_id, type, data, created_at, transaction_id)
      SELECT 'evt_' || n, 'pmt_' || n, 'payment.notification.held', '{}', now(), (1000000000 + n / 3)::text::xid8
      FROM generate_series(1, 2500) AS n`);
    await Promise.all(
      Array.from({ length: 4 }, async (_, index) => (await open(url)).insert(held(9990 + index))),
    );
    await one.insert(held(9999));
    const all = await readUntil(follow(one, 3000), 9999);
    expect(all.slice(0, 2500)).toEqual(Array.from({ length: 2500 }, (_, index) => index + 1));
    expect(all).toHaveLength(2505);
  });

  test('a place of the other database is one that it has not reached', async () => {
    const { one } = await openReplicas();
    for (const number of [1, 2, 3]) await one.insert(held(number));
    await readUntil(follow(one), 3);
    const { position } = (await one.readEvents({ after: undefined, limit: 10 })) ?? {};
    const { transaction, number } = position as EventPosition;
    const read = (after: EventPosition) => one.readEvents({ after, limit: 10 });
    const ahead = String(BigInt(transaction) + 1_000_000n);
    expect(await read({ transaction: ahead, number })).toBeUndefined();
    // It has had as many transactions since, and not as many events.
    expect(await read({ transaction, number: number + 1 })).toBeUndefined();
    expect(await read({ transaction, number })).toEqual({ events: [], position, has_more: false });
  });

  test('an event that was restored is delivered before the later ones of its payment', async () => {
    const { url, one, client } = await openReplicas('webhooks');
    await one.insert(held(1));
    await setAhead(client, 1);
    const restored = await open(url, 'webhooks');
    await restored.update({ ...held(1), notification_status: 'failed' }, undefined, held(1));
    const [first, ...others] = await restored.claimWebhooks(10, leaseMs);
    expect([first?.type, others]).toEqual(['payment.notification.held', []]);
  });
});

describe('the statements of a payment', () => {
  interface Statement {
    name?: string;
    text: string;
    values: unknown[];
  }

  /** What the database sees of a payment that is paid, sent and delivered. */
  async function statementsOf(events: EventRecording): Promise<Statement[]> {
    const store = await open(await newDatabase(), events);
    const query = vi.spyOn(pg.Client.prototype, 'query');
    const payment = paymentNumber(1);
    await store.insert(payment, recordOf('key', payment));
    const sent: Payment = { ...payment, notification_status: 'sent' };
    await store.update(sent, { status: 201, body: '{}' }, payment);
    await store.amend({ ...sent, notification_status: 'delivered' }, sent);
    const statements = query.mock.calls.map(([statement]) => statement as unknown as Statement);
    query.mockRestore();
    return statements.filter(({ name }) => name !== undefined);
  }

  test('are as many with events as without, and without them have no word of events', async () => {
    const [off, feed, webhooks] = [
      await statementsOf('off'),
      await statementsOf('feed'),
      await statementsOf('webhooks'),
    ];
    const names = ['insert', 'update', 'amend'];
    for (const statements of [off, feed, webhooks]) expect(statements.map(({ name }) => name)).toEqual(names);
    for (const [index, { text, values }] of off.entries()) {
      expect(text).not.toContain('event');
      const recording = feed[index] as Statement;
      const added = recording.text.length - text.length;
      const at = recording.text.indexOf(', recorded AS (');
      expect(recording.text.slice(0, at) + recording.text.slice(at + added)).toBe(text);
      expect(values).toHaveLength(recording.values.length - 7);
      expect(text).not.toContain(`$${values.length + 1}:`);
    }
  });
});

describe('webhook deliveries of two replicas', () => {
  test('are claimed without a wait for what another one is claiming', async () => {
    const { one, client } = await openReplicas('webhooks');
    for (const number of [1, 2, 3]) await one.insert(held(number));
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM events WHERE payment_id = ANY ($1) FOR UPDATE', [
      [held(1).payment_id, held(2).payment_id],
    ]);
    expect((await one.claimWebhooks(1, leaseMs)).map(numberOf)).toEqual([3]);
    expect(await one.claimWebhooks(1, leaseMs)).toEqual([]);
    await client.query('ROLLBACK');
    expect((await one.claimWebhooks(10, leaseMs)).map(numberOf).toSorted()).toEqual([1, 2]);
  });

  test('end, each once, those of a payment in their order, however many of them fail at first', {
    timeout: 60_000,
  }, async () => {
    const { one, other } = await openReplicas('webhooks');
    const stores = [one, other];
    const ended: string[] = [];
    const underWay = new Set<string>();
    const payments = 60;
    let areWriting = true;

    const writing = Array.from({ length: payments }, async (_, number) => {
      const store = stores[number % 2] as Store;
      await delay(Math.random() * 500);
      let before = held(number);
      await store.insert(before);
      for (const notification_status of ['failed', 'cancelled'] as const) {
        await delay(Math.random() * 100);
        const payment = { ...before, notification_status };
        await store.update(payment, undefined, before);
        before = payment;
      }
    });

    async function deliver(store: Store, { event_id, tries, payment_id, type }: Claim): Promise<void> {
      expect(underWay.has(payment_id)).toBe(false);
      underWay.add(payment_id);
      await delay(Math.random() * 5);
      underWay.delete(payment_id);
      const dice = Math.random();
      if (dice < 0.3)
        return store.settleWebhooks([
          { event_id, tries, status: 'pending', reason: 'http_500', wait_ms: dice * 100 },
        ]);
      if (dice < 0.4) return store.settleWebhooks([{ event_id, tries, status: 'released' }]);
      ended.push(`${payment_id} ${type}`);
      return store.settleWebhooks([
        dice < 0.5
          ? { event_id, tries, status: 'dead', reason: 'http_404' }
          : { event_id, tries, status: 'delivered' },
      ]);
    }
    const working = [...stores, ...stores].map(async (store) => {
      while (areWriting || (await store.countWebhooks()).pending > 0) {
        const claimed = await store.claimWebhooks(5, leaseMs);
        await Promise.all(claimed.map((each) => deliver(store, each)));
        if (claimed.length === 0) await delay(2);
      }
    });
    await Promise.all(writing);
    areWriting = false;
    await Promise.all(working);
    const of = Map.groupBy(ended, (each) => each.split(' ')[0]);
    expect(of.size).toBe(payments);
    for (const each of of.values())
      expect(each.map((text) => text.split('.').at(-1))).toEqual(['held', 'failed', 'cancelled']);
  });
});

type Claim = Awaited<ReturnType<Store['claimWebhooks']>>[number];

import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { startTcpProxy } from '../../../../test/doubles/tcp-proxy.ts';
import { createDatabase } from '../../../../test/postgres-server.ts';
import type { Outcome, Provider } from '../../../src/contract/notification.ts';
import { createLogger } from '../../../src/http/start.ts';
import { createDatabase as connect } from '../../../src/postgres/database.ts';
import type { Send } from '../../../src/provider/gateway.ts';
import { createPostgresIdempotencyStore } from '../../../src/provider/idempotency/postgres.ts';
import { body, buildFakeApp, notify } from '../fixture.ts';

const log = createLogger({ level: 'silent' });
const request: Send = { customer_id: '1', message: 'hola', idempotency_key: 'key-1' };
const accepted: Outcome = { outcome: 'accepted', message_id: 'sms-1' };
const timeoutMs = 60_000;
const newDatabase = () => createDatabase(inject('postgresPort'));

function openReplica(
  url: string,
  send: (send: Send) => Promise<Outcome> = async () => accepted,
  provider: Provider = 'Aldeamo',
  waitsMs = timeoutMs,
) {
  const counted = vi.fn(send);
  const store = createPostgresIdempotencyStore({ provider, url, timeoutMs: waitsMs, send: counted, log });
  const close = vi.fn(() => store.close?.());
  onTestFinished(async () => {
    if (close.mock.calls.length === 0) await close();
  });
  return { ...store, sent: counted, close };
}

async function query<Row>(url: string, text: string): Promise<Row[]> {
  const database = connect(url, log);
  try {
    return await database.query<Row>({ text });
  } finally {
    await database.close();
  }
}

describe('given a key that came to another replica, a send', () => {
  test('is not sent again, and returns the first outcome', async () => {
    const url = await newDatabase();
    let count = 0;
    const send = async (): Promise<Outcome> => ({ outcome: 'accepted', message_id: `sms-${++count}` });
    const [one, other] = [openReplica(url, send), openReplica(url, send)];
    expect(await one.send(request)).toEqual(accepted);
    expect(await other.send({ ...request, live_only: true, ttl_seconds: 60 })).toEqual(accepted);
    expect(await other.cancel('key-1')).toEqual(accepted);
    expect([one.sent.mock.calls.length, other.sent.mock.calls.length]).toEqual([1, 0]);
  });

  test('with another ttl_seconds is not sent again, and returns the first outcome', async () => {
    const url = await newDatabase();
    const [one, other] = [openReplica(url), openReplica(url)];
    expect(await one.send({ ...request, ttl_seconds: 86_400 })).toEqual(accepted);
    expect(await other.send({ ...request, ttl_seconds: 60, live_only: true })).toEqual(accepted);
    expect([one.sent.mock.calls.length, other.sent.mock.calls.length]).toEqual([1, 0]);
  });

  test('returns the mode of the replica that made it', async () => {
    const url = await newDatabase();
    const [sandbox, live] = (['sandbox', 'live'] as const).map((mode) =>
      openReplica(url, async () => ({ ...accepted, mode })),
    );
    expect(await sandbox?.send(request)).toEqual({ ...accepted, mode: 'sandbox' });
    expect(await live?.send(request)).toEqual({ ...accepted, mode: 'sandbox' });
    expect(await live?.cancel('key-1')).toEqual({ ...accepted, mode: 'sandbox' });
  });

  test('that comes 50 times at once, at three replicas, is sent once', async () => {
    const url = await newDatabase();
    let count = 0;
    const replicas = [1, 2, 3].map(() =>
      openReplica(url, async () => {
        await delay(20);
        return { outcome: 'accepted', message_id: `sms-${++count}` };
      }),
    );
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => replicas[index % 3]?.send({ ...request })),
    );
    expect(outcomes).toEqual(Array(50).fill(accepted));
    expect(count).toBe(1);
  });

  test('joins the first one while it still runs, and so does a cancel', async () => {
    const url = await newDatabase();
    const running = Promise.withResolvers<Outcome>();
    const begun = Promise.withResolvers<void>();
    const one = openReplica(url, () => {
      begun.resolve();
      return running.promise;
    });
    const other = openReplica(url);
    const sending = one.send(request);
    await begun.promise;
    const joined = Promise.all([sending, other.send(request), other.cancel('key-1'), one.cancel('key-1')]);
    running.resolve(accepted);
    expect(await joined).toEqual(Array(4).fill(accepted));
    expect(other.sent).not.toHaveBeenCalled();
  });

  test('with another body is a 422, and is not sent', async () => {
    const url = await newDatabase();
    const [one, other] = [openReplica(url), openReplica(url)];
    await one.send(request);
    for (const replica of [one, other])
      await expect(replica.send({ ...request, message: 'adiós' })).rejects.toMatchObject({ status: 422 });
    expect(other.sent).not.toHaveBeenCalled();
  });

  test('is not sent if any replica has cancelled it', async () => {
    const url = await newDatabase();
    const [one, other] = [openReplica(url), openReplica(url)];
    expect(await one.cancel('key-1')).toBeUndefined();
    expect(await other.cancel('key-1')).toBeUndefined();
    expect(await other.send(request)).toMatchObject({ outcome: 'not_sent', reason: 'withdrawn' });
    expect(other.sent).not.toHaveBeenCalled();
  });

  test('is known after a restart', async () => {
    const url = await newDatabase();
    const before = openReplica(url);
    await before.send(request);
    await before.close();
    const after = openReplica(url);
    expect(await after.cancel('key-1')).toEqual(accepted);
  });

  test('whose replica died while sending is unknown', async () => {
    const url = await newDatabase();
    const gone = openReplica(url, () => new Promise(() => {}));
    void gone.send(request);
    await vi.waitFor(() => expect(gone.sent).toHaveBeenCalled());
    gone.close.mockImplementation(async () => {}); // it dies without closing
    void gone.close();
    await query(url, "UPDATE sends SET begun_at = begun_at - interval '1 hour'");
    expect(await openReplica(url).cancel('key-1')).toEqual({ outcome: 'unknown', reason: 'interrupted' });
  });

  test('of the other provider is sent', async () => {
    const url = await newDatabase();
    const [aldeamo, twilio] = [openReplica(url), openReplica(url, async () => accepted, 'Twilio')];
    await Promise.all([aldeamo.send(request), twilio.send(request)]);
    expect(twilio.sent).toHaveBeenCalledTimes(1);
    expect(await twilio.cancel('key-2')).toBeUndefined();
    expect(await aldeamo.send({ ...request, idempotency_key: 'key-2' })).toEqual(accepted);
  });
});

test('given no key, sends each time and stores nothing', async () => {
  const url = await newDatabase();
  const replica = openReplica(url);
  await replica.ready?.();
  await replica.send({ ...request, idempotency_key: null });
  await replica.send({ ...request, idempotency_key: null });
  expect(replica.sent).toHaveBeenCalledTimes(2);
  expect(await query(url, 'SELECT * FROM sends')).toEqual([]);
});

test('stores neither a text nor a phone', async () => {
  const url = await newDatabase();
  const replica = openReplica(url);
  await replica.send({ ...request, phone: '+573001234567' });
  await replica.close();
  const rows = await query(url, 'SELECT * FROM sends');
  expect(rows).toHaveLength(1);
  expect(JSON.stringify(rows)).not.toMatch(/hola|3001234567/);
});

test('completeForMs is the time since the table was created, a day at most', async () => {
  const url = await newDatabase();
  const replica = openReplica(url);
  await replica.ready?.();
  expect(await replica.completeForMs()).toBeLessThan(60_000);
  await query(url, "UPDATE sends_since SET at = at - interval '1 hour'");
  const anHour = 60 * 60 * 1000;
  expect(await replica.completeForMs()).toBeGreaterThanOrEqual(anHour);
  expect(await openReplica(url).completeForMs()).toBeLessThan(anHour + 60_000);
  await query(url, "UPDATE sends_since SET at = at - interval '1 week'");
  expect(await replica.completeForMs()).toBe(24 * anHour);
});

test('rows older than a day are deleted', async () => {
  const url = await newDatabase();
  const interval = vi.spyOn(globalThis, 'setInterval');
  onTestFinished(() => interval.mockRestore());
  const replica = openReplica(url);
  const sweep = interval.mock.calls[0]?.[0] as () => void;
  await replica.send(request);
  await replica.send({ ...request, idempotency_key: 'key-2' });
  await query(url, "UPDATE sends SET begun_at = begun_at - interval '25 hours' WHERE key = 'key-1'");
  sweep();
  await vi.waitFor(async () => expect(await query(url, 'SELECT key FROM sends')).toEqual([{ key: 'key-2' }]));
});

describe('while the database is down', () => {
  async function openThroughProxy(send?: (send: Send) => Promise<Outcome>) {
    const url = new URL(await newDatabase());
    const proxy = await startTcpProxy(Number(url.port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const direct = url.href;
    url.port = String(proxy.port);
    const replica = openReplica(url.href, send);
    await replica.ready?.();
    return { proxy, replica, direct };
  }

  test('nothing is sent, and the store is not ready', { timeout: 20_000 }, async () => {
    const { proxy, replica } = await openThroughProxy();
    proxy.stall();
    const sending = replica.send(request);
    await proxy.answered();
    proxy.cut();
    expect(await sending).toEqual({ outcome: 'not_sent', reason: 'memory_unavailable', no_outage: true });
    expect(replica.sent).not.toHaveBeenCalled();
    await expect(replica.ready?.()).rejects.toThrow();
    proxy.flow();
    await replica.ready?.();
  });

  test('the outcome of a send of another replica is unknown', { timeout: 20_000 }, async () => {
    const { proxy, replica, direct } = await openThroughProxy();
    const running = Promise.withResolvers<Outcome>();
    const other = openReplica(direct, () => running.promise);
    void other.send(request);
    await vi.waitFor(() => expect(other.sent).toHaveBeenCalled());
    const query = vi.spyOn(pg.Client.prototype, 'query');
    onTestFinished(() => query.mockRestore());
    const joining = replica.send(request);
    await vi.waitFor(() =>
      expect(query.mock.calls.map(([statement]) => statement)).toContainEqual(
        expect.objectContaining({ name: 'find_sends' }),
      ),
    );
    proxy.stall();
    await proxy.answered();
    proxy.cut();
    expect(await joining).toEqual({ outcome: 'unknown', reason: 'outcome_unavailable' });
    running.resolve(accepted);
  });

  test('for longer than the deadline of the request, the send is not made afterwards, and that is recorded', async () => {
    const replica = openReplica(await newDatabase(), undefined, 'Aldeamo', 0);
    const sending = replica.send(request);
    const notSent = { outcome: 'not_sent', reason: 'memory_unavailable', no_outage: true };
    expect(await sending).toEqual(notSent);
    expect(await replica.cancel('key-1')).toEqual(notSent);
    expect(replica.sent).not.toHaveBeenCalled();
  });

  /** Another session holds the table, so that every statement on it waits until `release`. */
  async function lockSends(url: string) {
    const client = new pg.Client(url);
    await client.connect();
    await client.query('BEGIN');
    await client.query('LOCK TABLE sends');
    return { release: () => client.end() };
  }

  test('a send whose key is not recorded by its deadline is not_sent, now and later', async () => {
    const url = await newDatabase();
    const waitsMs = 300;
    const replica = openReplica(url, undefined, 'Aldeamo', waitsMs);
    await replica.ready?.();
    const lock = await lockSends(url);
    const notSent = { outcome: 'not_sent', reason: 'memory_unavailable', no_outage: true };
    expect(await replica.send(request)).toEqual(notSent);
    await lock.release();
    await replica.close();
    expect(await openReplica(url).cancel('key-1')).toEqual(notSent); // the key has been recorded since, with its outcome
    expect(replica.sent).not.toHaveBeenCalled();
  });

  test('the answer to such a send is a 503 with not_sent, and not a 504', async () => {
    const sendsDatabaseUrl = await newDatabase();
    const { app, gateway } = await buildFakeApp({}, { sendsDatabaseUrl, gatewayTimeoutMs: 300 });
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    const lock = await lockSends(sendsDatabaseUrl);
    const response = await app.inject(notify(body, 'key-1'));
    await lock.release();
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ outcome: 'not_sent', reason: 'memory_unavailable' });
    expect(gateway.send).not.toHaveBeenCalled();
  });

  test('the outcome of a send is recorded once the database is back', { timeout: 20_000 }, async () => {
    const running = Promise.withResolvers<Outcome>();
    const { proxy, replica, direct } = await openThroughProxy(() => running.promise);
    const sending = replica.send(request);
    await vi.waitFor(() => expect(replica.sent).toHaveBeenCalled());
    proxy.stall();
    running.resolve(accepted);
    expect(await sending).toEqual(accepted);
    await proxy.answered();
    proxy.cut();
    proxy.flow();
    await vi.waitFor(
      async () => expect(await query(direct, 'SELECT outcome FROM sends')).toEqual([{ outcome: accepted }]),
      10_000,
    );
  });
});

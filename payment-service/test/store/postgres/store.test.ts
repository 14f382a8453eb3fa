import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { connectTo } from '../../../../test/connect-to-postgres.ts';
import { startTcpProxy } from '../../../../test/doubles/tcp-proxy.ts';
import { createDatabase, type PostgresServer, startPostgres } from '../../../../test/postgres-server.ts';
import type { Attempt, Payment } from '../../../src/domain/payment.ts';
import type { EventRecording } from '../../../src/store/events.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import { CommitUnknown, LeaseLost, type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { describeControls } from '../control-contract.ts';
import { customer } from '../customer.ts';
import { describeErasure, type ErasureStoreOptions } from '../erasure-contract.ts';
import { describeEvents } from '../event-contract.ts';
import { describeFinding } from '../find-contract.ts';
import { describeOperations } from '../operations-contract.ts';
import { describeOwners } from '../owner-contract.ts';
import { describeStore, everything, paymentNumber, recordOf, running } from '../store-contract.ts';
import { describeSuppressions } from '../suppression-contract.ts';

const leaseMs = 10_000;
const log = createLogger({ level: 'silent' });
const newDatabase = () => createDatabase(inject('postgresPort'));

/** One database for the whole suite, emptied before each test: a new one takes several times as long. */
let shared: { url: string; client: pg.Client };
beforeAll(async () => {
  const url = await newDatabase();
  const client = new pg.Client(url);
  await client.connect();
  shared = { url, client };
  // Leases are by the database's clock: its sessions find this now() before PostgreSQL's own.
  await client.query(`
    CREATE SCHEMA fake;
    CREATE TABLE fake.clock (now timestamptz);
    CREATE FUNCTION fake.now() RETURNS timestamptz STABLE LANGUAGE sql
      RETURN coalesce((SELECT max(clock.now) FROM fake.clock), pg_catalog.now());
    ALTER DATABASE ${new URL(url).pathname.slice(1)} SET search_path = public, fake, pg_catalog`);
});
afterAll(() => shared.client.end());
const openEmpty = (
  leaseMs: number,
  events: EventRecording = 'off',
  clientsIsolated = false,
): Promise<Store> => openEmptied({ leaseMs, events, clientsIsolated });

async function openEmptied(options: ErasureStoreOptions): Promise<Store> {
  const store = await openPostgresStore({ url: shared.url, log, ...options });
  await shared.client.query(
    'TRUNCATE payments, attempts, idempotency_keys, customers, suppressions, sms_days, sms_recipient_hours, events, provider_controls, history, statistics',
  );
  return store;
}

describeControls('PostgreSQL', openEmpty);
describeErasure('PostgreSQL', openEmptied);
describeSuppressions('PostgreSQL', openEmpty);
describeOperations('PostgreSQL', openEmpty);
describeFinding('PostgreSQL', openEmpty);
describeOwners('PostgreSQL', (clientsIsolated) => openEmpty(leaseMs, 'off', clientsIsolated));
async function setClock(now: number | undefined): Promise<void> {
  await shared.client.query('DELETE FROM fake.clock');
  if (now !== undefined)
    await shared.client.query('INSERT INTO fake.clock VALUES ($1)', [new Date(now).toISOString()]);
}
describeStore('PostgreSQL', openEmpty, setClock);
describeEvents('PostgreSQL', openEmpty, setClock);

async function open(url: string): Promise<Store> {
  const store = await openPostgresStore({ url, leaseMs, log });
  onTestFinished(() => store.close());
  return store;
}

/** Several replicas' stores of one database. */
async function openReplicas(count: number): Promise<Store[]> {
  const url = await newDatabase();
  return Promise.all(Array.from({ length: count }, () => open(url)));
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test('once clients are no longer isolated, a phone that one of them stored is deleted with the customer', async () => {
  const isolated = await openEmpty(leaseMs, 'off', true);
  onTestFinished(() => isolated.close());
  await isolated.putPhone(customer('1', 'shop'), '+573001234567');
  const together = await openPostgresStore({ url: shared.url, leaseMs, log });
  onTestFinished(() => together.close());
  expect(await together.deletePhone(customer('1'))).toBe(true);
  expect(await isolated.findPhone(customer('1', 'shop'))).toBeUndefined();
});

describe('the schema', () => {
  test('is made once, however many replicas start together on an empty database', async () => {
    const url = await newDatabase();
    const stores = await Promise.all(numbers(8).map(() => open(url)));
    await stores[0]?.insert(paymentNumber(1));
    for (const store of stores) expect(await store.find(paymentNumber(1).payment_id)).toBeDefined();
    const { rows } = await (await connectTo(url)).query('SELECT * FROM schema_versions ORDER BY owner');
    expect(rows).toEqual([
      { owner: 'payment-service', version: 10, runs_beside: 9 },
      { owner: 'replicas', version: 1, runs_beside: 0 },
    ]);
  });

  test('of a newer release is left as it is: replicas are upgraded one after the other', async () => {
    const url = await newDatabase();
    await open(url);
    const client = await connectTo(url);
    await client.query("UPDATE schema_versions SET version = 11 WHERE owner = 'payment-service'");
    await client.query('ALTER TABLE payments ADD COLUMN later text');
    const store = await open(url);
    await store.insert(paymentNumber(1));
    expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(paymentNumber(1));
    const { rows } = await client.query(
      "SELECT version FROM schema_versions WHERE owner = 'payment-service'",
    );
    expect(rows).toEqual([{ version: 11 }]);
  });

  test('of a release that this one cannot follow is refused', async () => {
    const url = await newDatabase();
    await open(url);
    const client = await connectTo(url);
    await client.query('UPDATE schema_versions SET runs_beside = 11');
    await expect(openPostgresStore({ url, leaseMs, log })).rejects.toThrow('start a newer release');
  });

  test('that cannot be made leaves nothing behind', async () => {
    const url = await newDatabase();
    const client = await connectTo(url);
    await client.query('CREATE TABLE attempts (mine text)');
    await expect(openPostgresStore({ url, leaseMs, log })).rejects.toThrow('already exists');
    const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    expect(rows).toEqual([{ tablename: 'attempts' }]);
  });
});

describe('requests that arrive together', () => {
  const ask = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  const query = vi.spyOn(pg.Client.prototype, 'query');
  afterEach(() => void query.mockClear());
  /** Without those about a connection itself, which have no name. */
  const statements = () =>
    query.mock.calls.flatMap(([statement]) => (statement as { name?: string }).name ?? []);

  test.each<[string, (store: Store, number: number) => Promise<unknown>]>([
    ['insert', (store, number) => store.insert(paymentNumber(number), keyed(number))],
    ['update', (store, number) => store.update(paymentNumber(number), { status: 201, body: '' })],
    ['find', (store, number) => store.find(paymentNumber(number).payment_id)],
    ['find_customers', (store, number) => store.findPhone(customer(`${number}`))],
  ])('share one statement: %s', async (name, operation) => {
    const [store] = (await openReplicas(1)) as [Store];
    if (name === 'update')
      await Promise.all(numbers(100).map((number) => store.insert(paymentNumber(number))));
    query.mockClear();
    await Promise.all(numbers(100).map((number) => operation(store, number)));
    expect(statements()).toEqual([name]);
  });

  test('are kept, whatever becomes of the question for a key that one of them has brought again', async () => {
    const [store] = (await openReplicas(1)) as [Store];
    await store.insert(paymentNumber(1), recordOf('key', paymentNumber(1)));
    query.mockImplementation(function (this: pg.Client, ...args: unknown[]) {
      const { name } = args[0] as { name?: string };
      return name === 'find_keys' ? Promise.reject(new Error('gone')) : ask.apply(this, args);
    } as never);
    onTestFinished(() => void query.mockImplementation(ask as never));
    const results = await Promise.allSettled([
      store.insert(paymentNumber(2), recordOf('key', paymentNumber(2))),
      store.insert(paymentNumber(3)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await store.find(paymentNumber(2).payment_id)).toBeUndefined();
  });

  const keyed = (number: number) => recordOf(`key-${number}`, paymentNumber(number));
});

test('attempts of the previous release, which knows no mode, have none, and those that it does not know keep theirs', async () => {
  const url = await newDatabase();
  const store = await open(url);
  const attempt: Attempt = { ...(running()[0] as Attempt), mode: 'live' };
  const payment = paymentNumber(1, { attempts: [attempt] });
  await store.insert(payment);
  const database = await connectTo(url);
  await database.query(
    `INSERT INTO attempts (payment_id, number, provider, outcome, reason, message_id, started_at, duration_ms)
     VALUES ($1, 1, 'Aldeamo', 'accepted', NULL, 'sms-1', $2, 7), ($1, 2, 'Twilio', NULL, NULL, NULL, $2, NULL)
     ON CONFLICT (payment_id, number) DO UPDATE SET outcome = excluded.outcome, message_id = excluded.message_id`,
    [payment.payment_id, attempt.started_at],
  );
  expect((await store.find(payment.payment_id))?.attempts).toMatchObject([
    { outcome: 'accepted', message_id: 'sms-1', mode: 'live' },
    { provider: 'Twilio', mode: null },
  ]);
});

test('an update writes the attempts that are not those of the payment before, and no others', async () => {
  const store = await open(await newDatabase());
  const attempt = running()[0] as Attempt;
  const paymentWith = (...attempts: Attempt[]) => paymentNumber(1, { attempts });
  const ended: Attempt = { ...attempt, outcome: 'not_sent', reason: 'connection_refused', duration_ms: 3 };
  await store.insert(paymentWith(ended, attempt));
  const accepted: Attempt = { ...attempt, outcome: 'accepted', message_id: 'sms-2', duration_ms: 7 };
  const notWritten = { ...ended, reason: 'not_written' };
  await store.update(paymentWith(notWritten, accepted), undefined, paymentWith(notWritten, attempt));
  expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(paymentWith(ended, accepted));
});

describe('several replicas', () => {
  test('with the same keys at once make one payment of each, and none waits for another in a circle', async () => {
    const [one, other] = (await openReplicas(2)) as [Store, Store];
    const keys = numbers(200);
    const insert = (store: Store, offset: number, order: number[]) =>
      Promise.all(
        order.map((key) =>
          store.insert(paymentNumber(offset + key), recordOf(`key-${key}`, paymentNumber(offset + key))),
        ),
      );
    const [ofOne, ofOther] = await Promise.all([
      insert(one, 1000, keys),
      insert(other, 2000, keys.toReversed()).then((found) => found.toReversed()),
    ]);
    for (const [index, key] of keys.entries()) {
      const found = [ofOne?.[index]?.known, ofOther?.[index]?.known];
      // Exactly one insert was new; the other returned its record.
      expect(found.filter((record) => record === undefined)).toHaveLength(1);
      const winner = paymentNumber((found[0] === undefined ? 1000 : 2000) + key);
      expect(found.find((record) => record !== undefined)?.payment_id).toBe(winner.payment_id);
    }
  });

  test('claim 3000 due notifications, each once', { timeout: 60_000 }, async () => {
    const stores = await openReplicas(3);
    const due = { next_attempt_at: new Date(Date.now() - 1000).toISOString() };
    await Promise.all(
      numbers(3000).map((number) => {
        const payment = paymentNumber(number);
        return stores[number % 3]?.insert({ ...payment, ...due });
      }),
    );
    const claims = await Promise.all(
      stores.map(async (store) => {
        const claimed: Payment[] = [];
        for (;;) {
          const some = await store.claimDue(50);
          if (some.length === 0) return claimed;
          expect(some.length).toBeLessThanOrEqual(50);
          claimed.push(...some);
        }
      }),
    );
    const ids = claims.flat().map(({ payment_id }) => payment_id);
    expect(ids).toHaveLength(3000);
    expect(new Set(ids).size).toBe(3000);
    for (const claimed of claims) expect(claimed.length).toBeGreaterThan(0);
  });

  test('do not wait for what another one is claiming', async () => {
    const url = await newDatabase();
    const store = await open(url);
    const due = { next_attempt_at: new Date(Date.now() - 1000).toISOString() };
    for (const number of [1, 2]) {
      const payment = paymentNumber(number);
      await store.insert({ ...payment, ...due });
    }
    const client = await connectTo(url);
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM payments WHERE payment_id = $1 FOR UPDATE', [
      paymentNumber(1).payment_id,
    ]);
    expect((await store.claimDue(10)).map(({ payment_id }) => payment_id)).toEqual([
      paymentNumber(2).payment_id,
    ]);
    await client.query('ROLLBACK');
  });

  test('of one whose lease has run out, only the one that has claimed it may go on', async () => {
    const url = await newDatabase();
    const [dead, alive] = [await open(url), await open(url)];
    await dead.insert(paymentNumber(1, { attempts: running() }));
    expect(await alive.claimDue(1)).toEqual([]);
    await (await connectTo(url)).query(`UPDATE payments SET due_at = due_at - interval '${leaseMs} ms'`);
    expect(await alive.claimDue(1)).toHaveLength(1);
    await expect(dead.update(paymentNumber(1, { notification_status: 'sent' }))).rejects.toBeInstanceOf(
      LeaseLost,
    );
  });
});

test.each([
  'serializable',
  'repeatable read',
])('given a database whose transactions are %s by default, writes of two replicas at once all succeed', async (isolation) => {
  const url = await newDatabase();
  const client = await connectTo(url);
  const database = new URL(url).pathname.slice(1);
  await client.query(`ALTER DATABASE ${database} SET default_transaction_isolation = '${isolation}'`);
  await client.query(`ALTER DATABASE ${database} SET DateStyle = 'SQL, DMY'`);
  const stores = [await open(url), await open(url)];
  await Promise.all(
    numbers(100).map(async (number) => {
      const store = stores[number % 2] as Store;
      const payment = paymentNumber(number, { attempts: running() });
      await store.insert(payment, recordOf(`key-${number}`, payment));
      const sent = { ...payment, notification_status: 'sent' as const };
      await store.update(sent, { status: 201, body: '' });
      await store.putPhone(customer('one-customer'), `+5730012345${number}`);
      expect(await store.find(payment.payment_id)).toStrictEqual(sent);
    }),
  );
  expect((await stores[0]?.list({ ...everything, limit: 100 }))?.payments).toHaveLength(100);
});

test('an id with a NUL, which PostgreSQL cannot keep, is not found', async () => {
  const [store] = (await openReplicas(1)) as [Store];
  expect(await store.find('pmt_\0')).toBeUndefined();
  expect(await store.list({ ...everything, starting_after: '\0' })).toBeUndefined();
});

test('an error says nothing of what was to be kept', async () => {
  const [store] = (await openReplicas(1)) as [Store];
  const secret = { phone: '+573001234567', currency: null as unknown as string };
  const error = await store.insert(paymentNumber(1, secret)).catch((error: unknown) => error as Error);
  expect(error).toBeInstanceOf(StoreUnavailable);
  const lines: string[] = [];
  createLogger({ level: 'info' }, { write: (line: string) => void lines.push(line) }).error({ err: error });
  expect(lines.join()).toContain('null value in column');
  expect(lines.join()).not.toContain('3001234567');
  expect(lines.join()).not.toContain('Pago recibido');
});

test('a clock that is far from that of the database is no check passed', async () => {
  const [store] = (await openReplicas(1)) as [Store];
  await store.check();
  vi.useFakeTimers({ now: Date.now() + leaseMs, toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  await expect(store.check()).rejects.toThrow('ahead of');
  await expect(store.claimDue(1)).rejects.toBeInstanceOf(StoreUnavailable); // it would claim what other workers are handling
});

describe('given a server of its own', () => {
  let server: PostgresServer;
  let directory: string;
  let cert: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postgres-tls-'));
    cert = join(directory, 'server.crt');
    const key = join(directory, 'server.key');
    execFileSync(
      'openssl',
      [
        ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj /CN=test'.split(' '),
        ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      ],
      { stdio: 'pipe' },
    );
    server = await startPostgres({
      settings: { ssl: 'on', fsync: 'off' },
      files: { 'server.crt': readFileSync(cert, 'utf8'), 'server.key': readFileSync(key, 'utf8') },
    });
  }, 30_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test('TLS is as the URL says', async () => {
    const url = await server.createDatabase();
    const store = await open(`${url}?sslmode=verify-full&sslrootcert=${cert}`);
    await store.insert(paymentNumber(1));
    const { rows } = await (await connectTo(url)).query(`
      SELECT bool_and(ssl) AS all FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    expect(rows).toEqual([{ all: true }]);
    // A certificate without a trusted root is refused.
    await expect(openPostgresStore({ url: `${url}?sslmode=verify-full`, leaseMs, log })).rejects.toThrow(
      'self-signed certificate',
    );
  });

  test('when it goes away, every call rejects at once, and works again when it is back', {
    timeout: 30_000,
  }, async () => {
    const store = await open(await server.createDatabase());
    await store.insert(paymentNumber(1));
    for (const end of [server.stop, server.kill]) {
      await end();
      for (const operation of [
        () => store.insert(paymentNumber(2)),
        () => store.find(paymentNumber(1).payment_id),
        () => store.check(),
        () => store.claimDue(1),
      ]) {
        const error = await operation().catch((error: unknown) => error);
        expect(error).toBeInstanceOf(StoreUnavailable);
        expect(error).not.toBeInstanceOf(CommitUnknown); // no statement was sent
      }
      await server.start();
      await store.check();
      expect((await store.list(everything))?.payments).toStrictEqual([paymentNumber(1)]);
    }
  });
});

describe('when the database goes away', () => {
  async function openThroughProxy() {
    const url = new URL(await newDatabase());
    const proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    const store = await open(url.href);
    await store.check();
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    return { proxy, store };
  }

  test('in the middle of a write, insert rejects with CommitUnknown', async () => {
    const { proxy, store } = await openThroughProxy();
    proxy.stall();
    const inserting = store.insert(paymentNumber(1)).catch((error: unknown) => error);
    await proxy.answered();
    proxy.cut();
    expect(await inserting).toBeInstanceOf(CommitUnknown);
    proxy.flow();
    expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(paymentNumber(1)); // it was, this time
  });

  test.each([
    ['a key', recordOf('key-1', paymentNumber(1))],
    ['no key', undefined],
  ])('in the middle of a write with %s, and is back, insert is repeated, and the payment is recorded once', async (_what, record) => {
    const { proxy, store } = await openThroughProxy();
    await store.putPhone(paymentNumber(1), '+573001234567');
    proxy.stall();
    const inserting = store.insert(paymentNumber(1), record);
    await proxy.answered();
    proxy.cut();
    proxy.flow();
    expect(await inserting).toEqual({ phone: '+573001234567' });
    expect((await store.list(everything))?.payments).toHaveLength(1);
  });

  test('in the middle of a read: nothing has happened', async () => {
    const { proxy, store } = await openThroughProxy();
    proxy.stall();
    const finding = store.find(paymentNumber(1).payment_id).catch((error: unknown) => error);
    await proxy.answered();
    proxy.cut();
    const error = await finding;
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error).not.toBeInstanceOf(CommitUnknown);
  });

  test('without a word: nothing waits for it for long', { timeout: 15_000 }, async () => {
    const { proxy, store } = await openThroughProxy();
    proxy.stall();
    await Promise.all([
      expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable),
      expect(store.insert(paymentNumber(1))).rejects.toBeInstanceOf(StoreUnavailable),
    ]);
    proxy.flow();
    await store.check();
  });
});

import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createLogger } from 'service-kit/http/start.ts';
import { openSession } from 'service-kit/postgres/session.ts';
import { openPostgresStore } from '../payment-service/src/store/postgres/store.ts';
import { migrateSqlite } from '../payment-service/src/store/sqlite/migrate.ts';
import { openSqliteStore } from '../payment-service/src/store/sqlite/store.ts';
import type { PaymentQuery, Store } from '../payment-service/src/store/store.ts';
import { startPostgres } from '../test/postgres-server.ts';
import { fillPostgres, fillSqlite, idOfNumber, timeOfNumber } from './fill-store.ts';

/** Calls per list, after some that warm the caches. */
const calls = 200;
const warmUpCalls = 20;
const leaseMs = 60_000;

export interface FoundPages {
  store: 'SQLite' | 'PostgreSQL';
  payments: number;
  /** By list, in ms. */
  latencies: Record<string, { p50: number; p99: number }>;
}

/** Each filter alone, and what narrows another, for a store of this size. `at` is a number in its middle half. */
const lists: Record<string, (at: number) => Partial<PaymentQuery>> = {
  'no filter': () => ({}),
  'no filter, deep': (at) => ({ starting_after: idOfNumber(at) }),
  'no filter, `ending_before`': (at) => ({ ending_before: idOfNumber(at) }),
  '`reference`': (at) => ({ reference: `order-${Math.floor(at / 2)}` }),
  '`customer_id` with a few': (at) => ({ customer_id: `customer_${(at * 7919) % 1_000_003}` }),
  '`customer_id` with a tenth of all': () => ({ customer_id: 'customer_0' }),
  '`notification_status=failed`, deep': (at) => ({
    notification_status: ['failed'],
    starting_after: idOfNumber(at),
  }),
  'four `notification_status`': () => ({ notification_status: ['pending', 'held', 'sent', 'failed'] }),
  '`reason=opted_out`': () => ({ reason: 'opted_out' }),
  '`possible_duplicate=true`': () => ({ possible_duplicate: true }),
  '`notification_service=Twilio`': () => ({ notification_service: 'Twilio' }),
  '`client` with half of all': () => ({ client: 'shop' }),
  '`client` with a thousandth': () => ({ client: 'portal' }),
  'an hour of `created_*`': (at) => ({
    created_after: timeOfNumber(at - 3600),
    created_before: timeOfNumber(at),
  }),
  'an hour, and `notification_service=Aldeamo`': (at) => ({
    created_after: timeOfNumber(at - 3600),
    created_before: timeOfNumber(at),
    notification_service: 'Aldeamo',
  }),
  'this customer, and `possible_duplicate=false`': () => ({
    customer_id: 'customer_0',
    possible_duplicate: false,
  }),
  '`client`, and `possible_duplicate=true`': () => ({ client: 'portal', possible_duplicate: true }),
};

/** Up to ten million payments that takes half an hour, and 20 GB in the temporary directory. */
export async function measureFinding(sizes: readonly number[]): Promise<FoundPages[]> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'find-'));
  await using postgres = await startPostgres({
    settings: { autovacuum: 'off', fsync: 'off', max_wal_size: '4GB' },
  });
  const found: FoundPages[] = [];
  for (const payments of sizes) {
    const path = join(directory.path, `${payments}.db`);
    growSqlite(path, payments);
    found.push({ store: 'SQLite', payments, latencies: await measureSqlite(path, payments) });
    const url = await postgres.createDatabase();
    await growPostgres(url, payments);
    found.push({ store: 'PostgreSQL', payments, latencies: await measurePostgres(url, payments) });
  }
  return found;
}

/** Makes a file with this many payments. */
export function growSqlite(path: string, payments: number): void {
  using db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  migrateSqlite(db);
  fillSqlite(db, 1, payments);
}

async function measureSqlite(path: string, payments: number): Promise<FoundPages['latencies']> {
  const store = await openSqliteStore({ path, leaseMs });
  return await measureLists(store, payments).finally(store.close);
}

const openPostgres = (url: string) =>
  openPostgresStore({ url, leaseMs, log: createLogger({ level: 'silent' }) });

async function growPostgres(url: string, payments: number): Promise<void> {
  await (await openPostgres(url)).close();
  await using session = await openSession(url);
  await fillPostgres(session, 1, payments);
}

async function measurePostgres(url: string, payments: number): Promise<FoundPages['latencies']> {
  const store = await openPostgres(url);
  return await measureLists(store, payments).finally(store.close);
}

async function measureLists(store: Store, payments: number): Promise<FoundPages['latencies']> {
  const latencies: FoundPages['latencies'] = {};
  for (const [name, queryAt] of Object.entries(lists)) {
    const durations: number[] = [];
    for (let call = -warmUpCalls; call < calls; call += 1) {
      const at = Math.floor(payments / 4 + ((call + warmUpCalls) * payments) / 2 / (calls + warmUpCalls));
      const query = queryAt(at);
      const started = performance.now();
      const page = await store.list({ limit: 20, ...query });
      if (!page) throw new Error(`there is no page of ${name}`);
      if (call >= 0) durations.push(performance.now() - started);
    }
    durations.sort((a, b) => a - b);
    const quantile = (share: number) => durations[Math.floor(calls * share)] as number;
    latencies[name] = { p50: quantile(0.5), p99: quantile(0.99) };
  }
  return latencies;
}

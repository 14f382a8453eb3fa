import { copyFile, mkdtempDisposable, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createLogger } from 'service-kit/http/start.ts';
import { openSession } from 'service-kit/postgres/session.ts';
import { copySqliteToPostgres } from '../payment-service/src/store/copy/sqlite-to-postgres.ts';
import { openPostgresStore } from '../payment-service/src/store/postgres/store.ts';
import { migrateSqlite } from '../payment-service/src/store/sqlite/migrate.ts';
import { openSqliteStore } from '../payment-service/src/store/sqlite/store.ts';
import type { PaymentQuery, Store } from '../payment-service/src/store/store.ts';
import { startPostgres } from '../test/postgres-server.ts';
import { deepIds, growTo, largeCustomer } from './grow-store.ts';

/** Calls per operation, store and round. */
const calls = 500;
const rounds = 5;

/** Leases expire at once, so that each claim finds the same notifications. */
const leaseMs = 0;

export interface StoreSize {
  payments: number;
  /** The size of the database file. */
  bytes: number;
  /** By operation, in ms. */
  latencies: Record<string, { p50: number; p99: number }>;
}

type Operation = (store: Store, deepId: string) => Promise<unknown>;

const list =
  (filter: Partial<PaymentQuery>): Operation =>
  (store) =>
    store.list({ limit: 20, ...filter });

const filters: Record<string, Partial<PaymentQuery>> = {
  'list everything': {},
  'list a customer with a tenth of all': { customer_id: largeCustomer },
  'list a status': { notification_status: ['failed'] },
  'list this customer and a status it has ten of': {
    customer_id: largeCustomer,
    notification_status: ['failed'],
  },
};

const operations: [name: string, run: Operation][] = [
  ...Object.entries(filters).flatMap(([name, filter]): [string, Operation][] => [
    [name, list(filter)],
    [`${name}, deep`, (store, starting_after) => list({ ...filter, starting_after })(store, starting_after)],
  ]),
  ['backlog of 100', (store) => store.backlog()],
  ['claim 50 of which 5 are due', (store) => store.claimDue(50)],
];

/**
 * Measures reads in SQLite stores of these sizes. Each operation runs in all stores in turn, because the speed of the machine can
 * halve within a minute. Up to ten million payments that takes six minutes, and 7 GB in the temporary directory.
 */
export async function measureStoreSize(sizes: readonly number[]): Promise<StoreSize[]> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'store-size-'));
  await using stack = new AsyncDisposableStack();
  // Opened after all copies, because the file of an open store is not complete without its write-ahead log.
  const stores: Measured[] = [];
  for (const { path, payments, deepIds } of await growFiles(directory.path, sizes)) {
    const bytes = (await stat(path)).size;
    const store = stack.adopt(await openSqliteStore({ path, leaseMs }), ({ close }) => close());
    stores.push({ store, deepIds, size: { payments, bytes, latencies: {} } });
  }
  return await measureAll(stores);
}

/**
 * Measures the same in databases of one PostgreSQL with the same payments. They are never analyzed, as those of a replica that has
 * just been started are not.
 */
export async function measurePostgresSize(sizes: readonly number[]): Promise<StoreSize[]> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'store-size-'));
  await using postgres = await startPostgres({ settings: { autovacuum: 'off' } });
  await using stack = new AsyncDisposableStack();
  const log = createLogger({ level: 'silent' });
  const stores: Measured[] = [];
  for (const { path, payments, deepIds } of await growFiles(directory.path, sizes)) {
    const url = await postgres.createDatabase();
    const store = stack.adopt(await openPostgresStore({ url, leaseMs, log }), ({ close }) => close());
    // Planned while the database is empty, which is the worst moment for it.
    for (const [, run] of operations) await run(store, 'none');
    await copySqliteToPostgres({ path, url });
    stores.push({ store, deepIds, size: { payments, bytes: await bytesOf(url), latencies: {} } });
  }
  return await measureAll(stores);
}

async function bytesOf(url: string): Promise<number> {
  await using session = await openSession(url);
  const { rows } = await session.query('SELECT pg_database_size(current_database())::float8 AS bytes');
  return rows[0].bytes;
}

interface Grown {
  path: string;
  payments: number;
  deepIds: string[];
}

interface Measured {
  store: Store;
  deepIds: string[];
  size: StoreSize;
}

async function measureAll(stores: readonly Measured[]): Promise<StoreSize[]> {
  for (const [name, run] of operations) await measure(name, run, stores);
  return stores.map(({ size }) => size);
}

/** Makes a file of each size, each from the one before. */
async function growFiles(directory: string, sizes: readonly number[]): Promise<Grown[]> {
  const grown: Grown[] = [];
  for (const payments of sizes.toSorted((a, b) => a - b)) {
    const path = join(directory, `${payments}.db`);
    const smaller = grown.at(-1);
    if (smaller) await copyFile(smaller.path, path);
    grown.push({ path, payments, deepIds: grow(path, payments) });
  }
  return grown;
}

function grow(path: string, payments: number): string[] {
  using db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  migrateSqlite(db);
  growTo(db, payments);
  return deepIds(db, payments, calls);
}

async function measure(name: string, run: Operation, stores: readonly Measured[]): Promise<void> {
  const measured = stores.map((each) => ({ ...each, durations: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { store, deepIds, durations } of measured) {
      for (const id of deepIds) {
        const started = performance.now();
        await run(store, id);
        // The first round only warms the caches.
        if (round > 0) durations.push(performance.now() - started);
      }
    }
  }
  for (const { size, durations } of measured) {
    durations.sort((a, b) => a - b);
    const at = (share: number) => durations[Math.floor(durations.length * share)] as number;
    size.latencies[name] = { p50: at(0.5), p99: at(0.99) };
  }
}

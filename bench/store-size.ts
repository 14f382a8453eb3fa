import { mkdtempDisposable, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrate } from '../payment-service/src/store/sqlite-migrations.ts';
import { openSqliteStore } from '../payment-service/src/store/sqlite-store.ts';
import type { PaymentQuery, Store } from '../payment-service/src/store/store.ts';
import { deepIds, growTo, largeCustomer } from './grow-store.ts';

const calls = 500;
const warmUps = 50;

export interface StoreSize {
  payments: number;
  /** Of the database on disk. */
  bytes: number;
  /** By operation, in ms. */
  latencies: Record<string, { p50: number; p99: number }>;
}

type Operation = (store: Store, deepId: string) => Promise<unknown>;

const list =
  (filter: Partial<PaymentQuery>): Operation =>
  (store) =>
    store.list({
      limit: 20,
      starting_after: undefined,
      customer_id: undefined,
      notification_status: undefined,
      ...filter,
    });

const filters: Record<string, Partial<PaymentQuery>> = {
  'list everything': {},
  'list a customer with a tenth of all': { customer_id: largeCustomer },
  'list a status': { notification_status: 'failed' },
  'list this customer and a status it has ten of': {
    customer_id: largeCustomer,
    notification_status: 'failed',
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
 * How long reads take in a SQLite store of so many payments. One store grows from each size to the next; ten million take
 * some minutes, and 10 GB in the temporary directory meanwhile.
 */
export async function measureStoreSize(sizes: readonly number[]): Promise<StoreSize[]> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'store-size-'));
  const path = join(directory.path, 'payments.db');
  const measured: StoreSize[] = [];
  for (const payments of sizes.toSorted((a, b) => a - b)) {
    const deep = grow(path, payments);
    measured.push({ payments, latencies: await measure(path, deep), bytes: (await stat(path)).size });
  }
  return measured;
}

function grow(path: string, payments: number): string[] {
  using db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  migrate(db);
  growTo(db, payments);
  return deepIds(db, payments, calls);
}

async function measure(path: string, deep: string[]): Promise<StoreSize['latencies']> {
  // With a lease of no time what was claimed is due again at once: each claim finds what the one before has found.
  const store = await openSqliteStore({ path, leaseMs: 0 });
  try {
    const latencies: StoreSize['latencies'] = {};
    for (const [name, run] of operations) {
      for (const id of deep.slice(0, warmUps)) await run(store, id);
      const durations: number[] = [];
      for (const id of deep) {
        const started = performance.now();
        await run(store, id);
        durations.push(performance.now() - started);
      }
      durations.sort((a, b) => a - b);
      const at = (share: number) => durations[Math.floor(durations.length * share)] as number;
      latencies[name] = { p50: at(0.5), p99: at(0.99) };
    }
    return latencies;
  } finally {
    await store.close();
  }
}

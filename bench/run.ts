import process from 'node:process';
import { measureBlackhole } from './blackhole.ts';
import { measureCsvOfSqlite } from './csv.ts';
import { measureFinding } from './find.ts';
import { measureFootprint } from './footprint.ts';
import { measureMemory } from './memory.ts';
import { writeReports } from './report.ts';
import { type Results, writeResult } from './results.ts';
import { measureSlowDisk } from './slow-disk.ts';
import { soak } from './soak.ts';
import { measurePostgresSize, measureStoreSize } from './store-size.ts';
import { systems } from './systems.ts';
import { measureThroughput } from './throughput.ts';
import { measureWebhooks } from './webhooks.ts';

/**
 * `npm run bench`: measures, writes bench/results.json, and from it the tables and the chart of the documents. The longest parts
 * run only when they are named: `npm run bench -- csv find memory soak store-size webhooks`. Nothing else should run on the machine during
 * the run.
 */

/** V8 optimizes the code for about this long. */
const warmUpMs = 15_000;
const rounds = { starts: 3, rounds: 5, turnMs: 1500, warmUpMs };

const parts: { [Name in keyof Results]: () => Promise<Results[Name]['data']> } = {
  throughput: () => measureThroughput({ systems, connections: [1, 16, 64], ...rounds }),
  latency: () =>
    measureThroughput({
      systems: systems.filter(({ name }) => name !== 'payment-service, PostgreSQL'),
      connections: [16],
      ...rounds,
      settings: { ALDEAMO_LATENCY_MS: '50', TWILIO_LATENCY_MS: '50' },
    }),
  blackhole: measureBlackhole,
  'slow-disk': measureSlowDisk,
  footprint: measureFootprint,
  memory: measureMemory,
  soak,
  webhooks: measureWebhooks,
  'store-size': () => measureStoreSize([10_000, 100_000, 1_000_000, 10_000_000]),
  'store-size-postgres': () => measurePostgresSize([10_000, 100_000, 1_000_000]),
  find: () => measureFinding([10_000, 10_000_000]),
  csv: () => measureCsvOfSqlite(1_000_000),
};
const byDefault: (keyof Results)[] = ['throughput', 'latency', 'blackhole', 'slow-disk', 'footprint'];

const all = Object.keys(parts) as (keyof Results)[];
/** `store-size` names `store-size-postgres`, too. */
const named = process.argv.slice(2).flatMap((given) => {
  const names = all.filter((name) => name === given || name.startsWith(`${given}-`));
  if (names.length === 0) throw new Error(`There is no ${given}; there are ${all.join(', ')}.`);
  return names;
});

for (const name of named.length > 0 ? named : byDefault) {
  process.stdout.write(`${name} …\n`);
  await writeReports(await writeResult(name, await parts[name]()));
}
process.stdout.write(
  'written: bench/results.json, README.md, README.es.md, docs/performance.md, docs/performance.svg\n',
);

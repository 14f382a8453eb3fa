import { availableParallelism } from 'node:os';
import process from 'node:process';
import { Pool } from 'undici';
import { startPostgres } from '../test/postgres-server.ts';
import type { ReplicaName, Trio } from '../test/trio.ts';
import { replicaNames, startProcesses } from '../test/trio-of-processes.ts';

/**
 * `npm run bench:replicas`: measures one, two and three replicas of payment-service on one PostgreSQL, which also has the
 * idempotency stores of the provider services; and for comparison one on SQLite, with idempotency stores in memory. Services,
 * database and load share this machine, so the result is the cost of a payment, not the gain of more machines. The
 * configurations take turns, and the median of their rounds is reported.
 */

const rounds = 3;
const warmUpMs = 2000;
const roundMs = 8000;
const concurrency = 64;

interface Round {
  perSecond: number;
  p50: number;
  p99: number;
  /** CPU time of all replicas of payment-service per payment, in ms. */
  cpuMs: number;
}

const settings = { ALDEAMO_LATENCY_MS: '0', TWILIO_LATENCY_MS: '0', LOG_LEVEL: 'info' };

async function measure(replicas: number, databaseUrl: string | undefined): Promise<Round> {
  await using trio = await startProcesses(
    { ...settings, ...(databaseUrl && { DATABASE_URL: databaseUrl, SENDS_DATABASE_URL: databaseUrl }) },
    { replicas: { 'payment-service': replicas } },
  );
  const names = replicaNames('payment-service', replicas);
  await load(trio, names, warmUpMs);
  const before = await cpuSeconds(trio, names);
  const latencies = await load(trio, names, roundMs);
  const cpu = (await cpuSeconds(trio, names)) - before;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] as number;
  return {
    perSecond: latencies.length / (roundMs / 1000),
    p50: at(0.5),
    p99: at(0.99),
    cpuMs: (cpu * 1000) / latencies.length,
  };
}

/** Sends one payment after the other on each connection, for `forMs`. Returns the duration of each, in ms. */
async function load(trio: Trio<ReplicaName>, names: ReplicaName[], forMs: number): Promise<number[]> {
  const pools = names.map((name) => new Pool(trio.url(name), { connections: concurrency }));
  const latencies: number[] = [];
  const end = performance.now() + forMs;
  const payOneAfterTheOther = async (lane: number) => {
    while (performance.now() < end) {
      const started = performance.now();
      const { statusCode, body } = await (pools[lane % pools.length] as Pool).request({
        method: 'POST',
        path: '/payments',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ amount: 100, customer_id: `${lane}` }),
      });
      await body.dump();
      if (statusCode !== 201) throw new Error(`a payment was answered ${statusCode}`);
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, lane) => payOneAfterTheOther(lane)));
  await Promise.all(pools.map((pool) => pool.close()));
  return latencies;
}

async function cpuSeconds(trio: Trio<ReplicaName>, names: ReplicaName[]): Promise<number> {
  const texts = await Promise.all(
    names.map(async (name) => (await fetch(`${trio.url(name)}/metrics`)).text()),
  );
  return texts.reduce(
    (sum, text) => sum + Number(/^process_cpu_seconds_total ([\d.e+-]+)/m.exec(text)?.[1]),
    0,
  );
}

const median = (results: Round[], of: (round: Round) => number) =>
  results.map(of).sort((a, b) => a - b)[Math.floor(results.length / 2)] as number;

await using postgres = await startPostgres();
const configurations = [
  { name: '1, SQLite', replicas: 1, isShared: false, results: [] as Round[] },
  { name: '1, PostgreSQL', replicas: 1, isShared: true, results: [] as Round[] },
  { name: '2, PostgreSQL', replicas: 2, isShared: true, results: [] as Round[] },
  { name: '3, PostgreSQL', replicas: 3, isShared: true, results: [] as Round[] },
];
for (let round = 0; round < rounds; round += 1) {
  for (const { replicas, isShared, results } of configurations)
    results.push(await measure(replicas, isShared ? await postgres.createDatabase() : undefined));
}
const rows = configurations.map(({ name, results }) => [
  name,
  median(results, ({ perSecond }) => perSecond).toFixed(0),
  median(results, ({ p50 }) => p50).toFixed(1),
  median(results, ({ p99 }) => p99).toFixed(1),
  median(results, ({ cpuMs }) => cpuMs).toFixed(2),
]);
process.stdout.write(
  `${availableParallelism()} CPUs, ${concurrency} payments at a time, ${rounds} rounds of ${roundMs / 1000} s\n\n` +
    '| replicas | payments/s | p50 ms | p99 ms | CPU ms/payment |\n| --- | --: | --: | --: | --: |\n' +
    `${rows.map((row) => `| ${row.join(' | ')} |\n`).join('')}`,
);

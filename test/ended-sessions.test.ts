import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startPostgres } from './postgres-server.ts';
import type { ReplicaName } from './trio.ts';
import { replicaNames, startProcesses } from './trio-of-processes.ts';

const terminateForMs = 8000;

test('given sessions that PostgreSQL ends over and over, no service dies, and all are ready afterwards', async () => {
  await using postgres = await startPostgres({ settings: { fsync: 'off' } });
  const url = await postgres.createDatabase();
  await using trio = await startProcesses(
    { DATABASE_URL: url, SENDS_DATABASE_URL: url, ALDEAMO_LATENCY_MS: '0', TWILIO_LATENCY_MS: '0' },
    { replicas: { 'payment-service': 2, 'aldeamo-service': 2 } },
  );
  const paymentServices = replicaNames('payment-service', 2);
  const services: ReplicaName[] = [
    ...paymentServices,
    ...replicaNames('aldeamo-service', 2),
    'twilio-service',
  ];
  const ready = async (name: ReplicaName) => (await fetch(`${trio.url(name)}/health/ready`)).status;
  for (const name of services)
    await eventually(
      () => ready(name),
      (status) => status === 200,
      20_000,
    );

  const end = performance.now() + terminateForMs;
  const isOver = () => performance.now() > end;
  const statuses = new Set<number>();
  const payAll = async (name: ReplicaName, lane: number) => {
    while (!isOver()) {
      const { status } = await pay(trio.url(name), { customer_id: `ana-${lane}` });
      statuses.add(status);
    }
  };
  const ask = async (name: ReplicaName) => {
    while (!isOver()) await ready(name);
  };
  await Promise.all([
    terminateSessions(url, isOver),
    ...paymentServices.flatMap((name) => Array.from({ length: 4 }, (_, lane) => payAll(name, lane))),
    ...services.map(ask),
  ]);

  expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([]);
  for (const name of services)
    await eventually(
      () => ready(name),
      (status) => status === 200,
      20_000,
    );
  for (const name of paymentServices)
    expect((await call('POST', `${trio.url(name)}/payments`, { amount: 1, customer_id: 'eva' })).status).toBe(
      201,
    );
});

/** Ends every other session of the database, again and again. */
async function terminateSessions(url: string, isOver: () => boolean): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  while (!isOver())
    await client.query(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
  await client.end();
}

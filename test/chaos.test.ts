import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type ChaosOptions, runChaos } from './chaos.ts';
import { startPostgres } from './postgres-server.ts';
import type { ReplicaName, Trio } from './trio.ts';
import { replicaNames, startProcesses } from './trio-of-processes.ts';

const isLong = process.env.CHAOS === 'long';
const seed = Number(process.env.CHAOS_SEED ?? 1);
const load = isLong
  ? { payments: 10_000, kills: 50, width: 16, seed }
  : { payments: 1000, kills: 8, width: 16, seed };
const timeout = isLong ? 1_800_000 : 240_000;
const scenario = `${load.payments} payments, ${load.kills} kills and faults of every kind (seed ${seed})`;

const settings = {
  ALDEAMO_LATENCY_MS: '5',
  TWILIO_LATENCY_MS: '5',
  GATEWAY_TIMEOUT_MS: '400',
  PROVIDER_TIMEOUT_MS: '500',
  CIRCUIT_RESET_TIMEOUT_MS: '1000',
  NOTIFICATION_RETRY_BASE_MS: '200',
  NOTIFICATION_RETRY_MAX_MS: '2000',
  NOTIFICATION_LEASE_MS: '1500',
  OUTBOX_RATE_PER_SECOND: '500',
};

test(`given ${scenario}, loses no payment and flags every duplicate`, { timeout }, async () => {
  await using trio = await startProcesses(settings);
  await runAndCheck(trio, { ...load, paymentServices: ['payment-service'] });
});

test(`given ${scenario}, on three replicas whose PostgreSQL crashes, loses no payment and flags every duplicate`, {
  timeout,
}, async () => {
  await using postgres = await startPostgres();
  const url = await postgres.createDatabase();
  const replicas = { 'payment-service': 3 };
  await using trio = await startProcesses(
    { ...settings, DATABASE_URL: url, SENDS_DATABASE_URL: url },
    { replicas },
  );
  await runAndCheck(trio, {
    ...load,
    paymentServices: replicaNames('payment-service', replicas['payment-service']),
    async halfway() {
      await postgres.kill();
      await delay(500); // so that payments are made while it is down
      await postgres.start();
    },
  });
});

async function runAndCheck(trio: Trio<ReplicaName>, options: ChaosOptions): Promise<void> {
  const figures = await runChaos(trio, options);

  process.stdout.write(
    `\n${Object.entries(figures)
      .map(([label, figure]) => `${String(figure).padStart(7)}  ${label}\n`)
      .join('')}\n`,
  );
  expect(figures).toMatchObject({
    'answered 2xx': options.payments,
    'of them in the store': options.payments,
    'of them notified': options.payments,
    'in the store in all': options.payments,
    'accepted more than once, without an unknown attempt on record': 0,
    'of them flagged as possible duplicates': figures['accepted more than once, with one'],
    'kills survived': options.kills,
  });
  expect(figures['with an attempt whose outcome was unknown']).toBeGreaterThan(0);
}

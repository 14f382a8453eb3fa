import process from 'node:process';
import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';
import { startTrio } from './trio.ts';

const isLong = process.env.CHAOS === 'long';
const seed = Number(process.env.CHAOS_SEED ?? 1);
const options = isLong
  ? { payments: 10_000, kills: 50, width: 16, seed }
  : { payments: 1500, kills: 12, width: 16, seed };

test(`${options.payments} payments, ${options.kills} kills, faults of every kind (seed ${seed})`, {
  timeout: isLong ? 1_800_000 : 240_000,
}, async () => {
  await using trio = await startTrio({
    ALDEAMO_LATENCY_MS: '5',
    TWILIO_LATENCY_MS: '5',
    GATEWAY_TIMEOUT_MS: '400',
    PROVIDER_TIMEOUT_MS: '500',
    CIRCUIT_RESET_TIMEOUT_MS: '1000',
    NOTIFICATION_RETRY_BASE_MS: '200',
    NOTIFICATION_RETRY_MAX_MS: '2000',
    NOTIFICATION_LEASE_MS: '1500',
    OUTBOX_RATE_PER_SECOND: '500',
  });

  const figures = await runChaos(trio, options);

  process.stdout.write(
    `\n${Object.entries(figures)
      .map(([what, figure]) => `${String(figure).padStart(7)}  ${what}\n`)
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
  expect(figures['with an attempt whose outcome nobody knows']).toBeGreaterThan(0);
});

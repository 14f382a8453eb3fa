import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

const backlog = 2000;
const freshAtATime = 4;

test(`given a backlog of ${backlog}, fresh payments take less than twice as long while it drains`, {
  timeout: 180_000,
}, async () => {
  await using trio = await startProcesses({
    ALDEAMO_LATENCY_MS: '50',
    TWILIO_LATENCY_MS: '50',
    PROVIDER_TIMEOUT_MS: '1000',
    GATEWAY_TIMEOUT_MS: '800',
    CIRCUIT_RESET_TIMEOUT_MS: '2000',
    NOTIFICATION_LEASE_MS: '3000',
    OUTBOX_RATE_PER_SECOND: '200',
  });
  const before = await medianOfFresh(trio);

  await trio.kill('aldeamo-service');
  await trio.kill('twilio-service');
  await payMany(trio, backlog, 32);
  expect(await isPending(trio)).toBe(true);
  await trio.start('aldeamo-service');
  await trio.start('twilio-service');
  // An open circuit would skip the provider's call, whose latency is measured here.
  await eventually(
    () => circuitsOf(trio),
    (states) => states.every((state) => state === 'closed'),
    15_000,
  );

  const during = await medianOfFresh(trio);
  expect(await isPending(trio)).toBe(true); // otherwise the median was measured without a backlog
  await eventually(
    () => isPending(trio),
    (pending) => !pending,
    120_000,
  );

  process.stdout.write(
    `\nfresh payments, median: ${before.toFixed(1)} ms before, ${during.toFixed(1)} ms while the backlog drained\n\n`,
  );
  expect(during).toBeLessThan(2 * before);
});

async function payMany(trio: Trio, count: number, width: number): Promise<{ ms: number; sent: boolean }[]> {
  const paid: { ms: number; sent: boolean }[] = [];
  const one = async (lane: number) => {
    for (let n = lane; n < count; n += width) {
      const started = performance.now();
      const { status, body } = await pay(trio.url('payment-service'), { customer_id: `${n}` });
      expect(status).toBe(201);
      paid.push({ ms: performance.now() - started, sent: body.notification_status === 'sent' });
    }
  };
  await Promise.all(Array.from({ length: width }, (_, lane) => one(lane)));
  return paid;
}

async function medianOfFresh(trio: Trio): Promise<number> {
  const paid = await payMany(trio, 200, freshAtATime);
  expect(paid.filter(({ sent }) => !sent)).toEqual([]);
  return paid.map(({ ms }) => ms).sort((a, b) => a - b)[paid.length / 2] as number;
}

async function circuitsOf(trio: Trio): Promise<string[]> {
  const { body } = await call<{ circuits: Record<'Aldeamo' | 'Twilio', { state: string }> }>(
    'GET',
    `${trio.url('payment-service')}/health`,
  );
  return [body.circuits.Aldeamo.state, body.circuits.Twilio.state];
}

async function isPending(trio: Trio): Promise<boolean> {
  const url = `${trio.url('payment-service')}/payments?notification_status=pending&limit=1`;
  return (await call<{ data: unknown[] }>('GET', url)).body.data.length > 0;
}

import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startTrio, type Trio } from './trio.ts';

const backlog = 5000;
const freshAtATime = 4;

test(`a backlog of ${backlog} drains beside fresh payments, whose latency does not double`, {
  timeout: 180_000,
}, async () => {
  await using trio = await startTrio({
    ALDEAMO_LATENCY_MS: '50',
    TWILIO_LATENCY_MS: '50',
    PROVIDER_TIMEOUT_MS: '1000',
    GATEWAY_TIMEOUT_MS: '800',
    CIRCUIT_RESET_TIMEOUT_MS: '2000',
    NOTIFICATION_LEASE_MS: '3000',
    OUTBOX_RATE_PER_SECOND: '200',
  });
  const before = await medianOfFresh(trio, 200);

  await trio.kill('aldeamo-service');
  await trio.kill('twilio-service');
  await payMany(trio, backlog, 32);
  expect(await isPending(trio)).toBe(true);
  await trio.start('aldeamo-service');
  await trio.start('twilio-service');
  await eventually(
    () => sent(trio),
    (count) => count > 0,
    10_000,
  );

  const during = await medianOfFresh(trio, 200);
  expect(await isPending(trio)).toBe(true); // or it was not measured beside the backlog
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

async function payMany(trio: Trio, count: number, width: number): Promise<number[]> {
  const latencies: number[] = [];
  const one = async (lane: number) => {
    for (let n = lane; n < count; n += width) {
      const started = performance.now();
      expect((await pay(trio.url('payment-service'), { customer_id: `${n}` })).status).toBe(201);
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: width }, (_, lane) => one(lane)));
  return latencies;
}

async function medianOfFresh(trio: Trio, count: number): Promise<number> {
  const latencies = await payMany(trio, count, freshAtATime);
  return latencies.sort((a, b) => a - b)[Math.floor(count / 2)] as number;
}

async function isPending(trio: Trio): Promise<boolean> {
  const url = `${trio.url('payment-service')}/payments?notification_status=pending&limit=1`;
  return (await call<{ data: unknown[] }>('GET', url)).body.data.length > 0;
}

async function sent(trio: Trio): Promise<number> {
  const ledgers = await Promise.all(
    (['aldeamo-service', 'twilio-service'] as const).map((service) =>
      call<{ data: { customer_id: string }[] }>('GET', `${trio.url(service)}/sandbox/messages`),
    ),
  );
  return ledgers.flatMap(({ body }) => body.data).length;
}

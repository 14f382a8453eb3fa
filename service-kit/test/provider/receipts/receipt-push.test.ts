import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Receipt } from '../../../src/contract/notification.ts';
import type { Forwarding } from '../../../src/provider/receipts/receipt-forwarder.ts';
import { createReceiptPush, mostWaiting } from '../../../src/provider/receipts/receipt-push.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const receipt = (key: string, status: Receipt['status'] = 'delivered'): Receipt => ({
  provider: 'Aldeamo',
  message_id: `aldeamo-${key}`,
  idempotency_key: key,
  status,
  reason: null,
});

/** A push whose forwards end when the test says so. */
function openPush(level = 'info') {
  const forwards: { receipt: Receipt; end: (forwarding: Forwarding) => void }[] = [];
  const lines: { level: number; msg: string; idempotency_key?: string }[] = [];
  const push = createReceiptPush(
    {
      forward(of) {
        const { promise, resolve } = Promise.withResolvers<Forwarding>();
        forwards.push({ receipt: of, end: resolve });
        return promise;
      },
      stop() {
        for (const { end } of forwards) end('unreachable');
      },
      close: async () => {},
    },
    pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  );
  const keys = () => forwards.map(({ receipt: of }) => `${of.idempotency_key} ${of.status}`);
  return { push, forwards, lines, keys };
}

test('sends a receipt when it is due', async () => {
  const { push, keys } = openPush();
  push.push([receipt('late')], 200);
  push.push([receipt('early')], 100);
  vi.advanceTimersByTime(99);
  expect(keys()).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(keys()).toEqual(['early delivered']);
  vi.advanceTimersByTime(100);
  expect(keys()).toEqual(['early delivered', 'late delivered']);
});

test('sends the second receipt of an SMS after the first, which may take long', async () => {
  const { push, keys, forwards } = openPush();
  push.push([receipt('a', 'undelivered'), receipt('a')], 0);
  vi.advanceTimersByTime(1);
  await setImmediate();
  expect(keys()).toEqual(['a undelivered']);
  forwards[0]?.end('recorded');
  await setImmediate();
  expect(keys()).toEqual(['a undelivered', 'a delivered']);
});

test('given many at once, sends 32 at a time, and in the end all of them', async () => {
  const { push, forwards } = openPush();
  for (let number = 0; number < 100; number += 1) push.push([receipt(`${number}`)], 0);
  vi.advanceTimersByTime(1);
  expect(forwards).toHaveLength(32);
  for (let ended = 0; ended < 100; ended += 1) {
    forwards[ended]?.end('recorded');
    await setImmediate();
    expect(forwards).toHaveLength(Math.min(ended + 33, 100));
  }
});

test('given that as many wait as can, further ones are not sent, with one line, until there is room again', async () => {
  vi.useRealTimers(); // those of vitest take too long for so many
  const { push, forwards, lines } = openPush('warn');
  const pushMany = (count: number) => {
    for (let number = 0; number < count; number += 1) push.push([receipt(`${number}`)], 0);
  };
  pushMany(mostWaiting + 10);
  const full = { level: 40, msg: 'too many receipts wait: further ones are not sent' };
  expect(lines).toMatchObject([full]);
  for (let ended = 0; ended < mostWaiting; await setImmediate())
    while (ended < forwards.length) forwards[ended++]?.end('recorded');
  await delay(10);
  expect(forwards).toHaveLength(mostWaiting);
  lines.length = 0;
  pushMany(mostWaiting + 1);
  expect(lines).toMatchObject([full]);
  await push.close();
}, 30_000);

test('logs what became of each', async () => {
  const { push, forwards, lines } = openPush();
  const forwardings = ['recorded', 'unknown_attempt', 'refused', 'unreachable'] as const;
  for (const forwarding of forwardings) push.push([receipt(forwarding)], 0);
  vi.advanceTimersByTime(1);
  for (const [index, forwarding] of forwardings.entries()) forwards[index]?.end(forwarding);
  await setImmediate();
  expect(lines.map(({ level, idempotency_key }) => [level, idempotency_key])).toEqual([
    [30, 'recorded'],
    [40, 'unknown_attempt'],
    [50, 'refused'],
    [50, 'unreachable'],
  ]);
});

test('given an end, sends nothing more of what waits, and logs nothing of it', async () => {
  const { push, forwards, lines } = openPush();
  for (let number = 0; number < 40; number += 1) push.push([receipt(`${number}`)], 0);
  push.push([receipt('later')], 1000);
  vi.advanceTimersByTime(1);
  await push.close();
  await setImmediate();
  push.push([receipt('after')], 0);
  vi.advanceTimersByTime(10_000);
  expect(forwards).toHaveLength(32);
  expect(lines).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

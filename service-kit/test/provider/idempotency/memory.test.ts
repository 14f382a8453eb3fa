import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Outcome } from '../../../src/contract/notification.ts';
import { Problem } from '../../../src/http/problem.ts';
import type { Send } from '../../../src/provider/gateway.ts';
import { createMemoryIdempotencyStore } from '../../../src/provider/idempotency/memory.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.advanceTimersByTime(1); // lru-cache takes a start at 0 for none
});
afterEach(() => void vi.useRealTimers());

const hour = 60 * 60 * 1000;
const request: Send = { customer_id: '1', message: 'hola', idempotency_key: 'key-1' };

/** A store over a gateway that accepts each send with an id of its own, and the keys that were sent. */
function counted() {
  const sent: (string | null)[] = [];
  const store = createMemoryIdempotencyStore(async ({ idempotency_key }) => {
    sent.push(idempotency_key);
    return { outcome: 'accepted', message_id: `sms-${sent.length}` };
  });
  return { sent, ...store };
}

describe('given a key that came before, a send', () => {
  test('is not sent again, and returns the first outcome', async () => {
    const { sent, send } = counted();
    expect(await send(request)).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(await send({ ...request })).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    const other = { ...request, live_only: true, ttl_seconds: 60 };
    expect(await send(other)).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(sent).toEqual(['key-1']);
  });

  test('joins the first one while it still runs', async () => {
    const running = Promise.withResolvers<Outcome>();
    const gateway = vi.fn(() => running.promise);
    const { send } = createMemoryIdempotencyStore(gateway);
    const both = Promise.all([send(request), send(request)]);
    running.resolve({ outcome: 'unknown', reason: 'connection_lost' });
    expect(await both).toEqual(Array(2).fill({ outcome: 'unknown', reason: 'connection_lost' }));
    expect(gateway).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['message', { ...request, message: 'adiós' }],
    ['customer', { ...request, customer_id: '2' }],
    ['phone', { ...request, phone: '+573001234567' }],
  ])('with another %s is a 422, and is not sent', async (_name, other) => {
    const { sent, send } = counted();
    await send(request);
    expect(() => send(other)).toThrow(Problem);
    expect(() => send(other)).toThrow(expect.objectContaining({ status: 422 }));
    expect(sent).toHaveLength(1);
    expect(await send(request)).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
  });
});

test.each([
  ['ttl_seconds', { ttl_seconds: 86_400 }, { ttl_seconds: 60 }],
  ['live_only', {}, { live_only: true }],
])('given a key that came with another %s, does not send again', async (_name, first, second) => {
  const { sent, send } = counted();
  expect(await send({ ...request, ...first })).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
  expect(await send({ ...request, ...second })).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
  expect(sent).toEqual(['key-1']);
});

test('given another key, sends again', async () => {
  const { sent, send } = counted();
  await send(request);
  await send({ ...request, idempotency_key: 'key-2' });
  expect(sent).toEqual(['key-1', 'key-2']);
});

test('given no key, sends each time', async () => {
  const { sent, send } = counted();
  await send({ ...request, idempotency_key: null });
  await send({ ...request, idempotency_key: null });
  expect(sent).toEqual([null, null]);
});

describe('a key', () => {
  test('is known for 24 hours from its first send, however often it is used', async () => {
    const { sent, send } = counted();
    await send(request);
    await vi.advanceTimersByTimeAsync(23 * hour);
    await send(request);
    await vi.advanceTimersByTimeAsync(hour - 1);
    await send(request);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2);
    await send(request);
    expect(sent).toHaveLength(2);
  });

  test('is evicted by the 100 001st if it is the least recently used', async () => {
    const { sent, send } = counted();
    const key = (number: number) => ({ ...request, idempotency_key: `key-${number}` });
    for (let number = 1; number <= 100_000; number += 1) void send(key(number));
    void send(key(1)); // so that the second is the oldest now
    void send(key(100_001));
    expect(sent).toHaveLength(100_001);
    for (const number of [1, 3, 100_000, 100_001]) void send(key(number));
    expect(sent).toHaveLength(100_001);
    void send(key(2));
    expect(sent.slice(100_001)).toEqual(['key-2']);
  }, 30_000);
});

describe('cancel', () => {
  test('given a key that never came, returns undefined each time', async () => {
    const { sent, send, cancel } = counted();
    expect(cancel('key-1')).toBeUndefined();
    expect(cancel('key-1')).toBeUndefined();
    await send({ ...request, idempotency_key: null });
    expect(cancel('')).toBeUndefined();
    expect(sent).toEqual([null]);
  });

  test('given a key that was sent, returns its outcome and sends nothing', async () => {
    const { sent, send, cancel } = counted();
    await send(request);
    expect(await cancel('key-1')).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(sent).toHaveLength(1);
  });

  test('given a send that comes afterwards, keeps it from being sent', async () => {
    const { sent, send, cancel } = counted();
    expect(cancel('key-1')).toBeUndefined();
    expect(await send(request)).toEqual({ outcome: 'not_sent', reason: 'withdrawn', no_outage: true });
    expect(sent).toEqual([]);
    expect(cancel('key-1')).toBeUndefined(); // and that was no send
  });

  test('given a send that still runs, returns its outcome', async () => {
    const running = Promise.withResolvers<Outcome>();
    const { send, cancel } = createMemoryIdempotencyStore(() => running.promise);
    const both = Promise.all([send(request), cancel('key-1')]);
    running.resolve({ outcome: 'rejected', reason: 'opted_out' });
    expect(await both).toEqual(Array(2).fill({ outcome: 'rejected', reason: 'opted_out' }));
  });

  test('does not prolong the time of a key', async () => {
    const { send, cancel } = counted();
    await send(request);
    await vi.advanceTimersByTimeAsync(23 * hour);
    expect(cancel('key-1')).toBeDefined();
    await vi.advanceTimersByTimeAsync(hour + 1);
    expect(cancel('key-1')).toBeUndefined();
  });
});

describe('completeForMs', () => {
  test('is the time since the start, as long as no key was evicted', async () => {
    const beginning = Date.now();
    const { send, cancel, completeForMs } = counted();
    expect(completeForMs()).toBe(0);
    await vi.advanceTimersByTimeAsync(hour);
    await send(request);
    cancel('key-1');
    cancel('key-2');
    expect(completeForMs()).toBe(Date.now() - beginning);
  });

  test('is not negative when the clock is set back', async () => {
    const { completeForMs } = counted();
    const now = Date.now();
    vi.setSystemTime(now - hour);
    expect(completeForMs()).toBe(0);
    vi.setSystemTime(now);
  });

  test('is the time since the last expired key came', async () => {
    const { send, cancel, completeForMs } = counted();
    await vi.advanceTimersByTimeAsync(hour);
    const came = Date.now();
    await send(request);
    await vi.advanceTimersByTimeAsync(hour);
    await send({ ...request, idempotency_key: 'key-2' });
    await vi.advanceTimersByTimeAsync(23 * hour + 1);
    expect(cancel('key-1')).toBeUndefined();
    expect(completeForMs()).toBe(Date.now() - came);
    expect(cancel('key-2')).toBeDefined();
  });

  test('is the time since the last evicted key came', async () => {
    const { send, cancel, completeForMs } = counted();
    const came: number[] = [];
    for (let number = 0; number < 100_000; number += 1) {
      if (number < 3) {
        await vi.advanceTimersByTimeAsync(1000);
        came.push(Date.now());
      }
      void send({ ...request, idempotency_key: `key-${number}` });
    }
    cancel('key-0'); // so that the second goes first, and the third, and then the first
    const since = (number: number) => {
      void send({ ...request, idempotency_key: `more-${number}` });
      return Date.now() - completeForMs();
    };
    expect(since(1)).toBe(came[1]);
    expect(since(2)).toBe(came[2]);
    for (let number = 3; number <= 100_000; number += 1) since(number);
    expect(cancel('key-0')).toBeUndefined();
    expect(completeForMs()).toBe(Date.now() - (came[2] ?? Number.NaN));
  }, 30_000);
});

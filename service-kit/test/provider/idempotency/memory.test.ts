import { afterAll, describe, expect, test, vi } from 'vitest';
import type { Outcome } from '../../../src/contract/notification.ts';
import { Problem } from '../../../src/http/problem.ts';
import type { Send } from '../../../src/provider/gateway.ts';

// lru-cache takes hold of the clock when it is loaded: the fake one must be there before.
vi.useFakeTimers();
vi.advanceTimersByTime(1); // and to lru-cache a beginning at 0 is none
const { rememberSends } = await import('../../../src/provider/idempotency/memory.ts');
afterAll(() => void vi.useRealTimers());

const hour = 60 * 60 * 1000;
const request: Send = { customer_id: '1', message: 'hola', idempotency_key: 'key-1' };

/** What was sent, by key, and sends that are answered each with an id of its own. */
function counted() {
  const sent: (string | null)[] = [];
  const sends = rememberSends(async ({ idempotency_key }) => {
    sent.push(idempotency_key);
    return { outcome: 'accepted', message_id: `sms-${sent.length}` };
  });
  return { sent, ...sends };
}

describe('the same key', () => {
  test('is the same send, and gets the same outcome', async () => {
    const { sent, send } = counted();
    expect(await send(request)).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(await send({ ...request })).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(sent).toEqual(['key-1']);
  });

  test('joins a send that is still running', async () => {
    const running = Promise.withResolvers<Outcome>();
    const gateway = vi.fn(() => running.promise);
    const { send } = rememberSends(gateway);
    const both = Promise.all([send(request), send(request)]);
    running.resolve({ outcome: 'unknown', reason: 'connection_lost' });
    expect(await both).toEqual(Array(2).fill({ outcome: 'unknown', reason: 'connection_lost' }));
    expect(gateway).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['message', { ...request, message: 'adiós' }],
    ['customer', { ...request, customer_id: '2' }],
    ['phone', { ...request, phone: '+573001234567' }],
  ])('with another %s is a conflict, and nothing is sent', async (_name, other) => {
    const { sent, send } = counted();
    await send(request);
    expect(() => send(other)).toThrow(Problem);
    expect(() => send(other)).toThrow(expect.objectContaining({ status: 409 }));
    expect(sent).toHaveLength(1);
    expect(await send(request)).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
  });
});

test('another key is another send', async () => {
  const { sent, send } = counted();
  await send(request);
  await send({ ...request, idempotency_key: 'key-2' });
  expect(sent).toEqual(['key-1', 'key-2']);
});

test('without a key each is a send of its own', async () => {
  const { sent, send } = counted();
  await send({ ...request, idempotency_key: null });
  await send({ ...request, idempotency_key: null });
  expect(sent).toEqual([null, null]);
});

describe('the memory', () => {
  test('lasts 24 hours from the first time, however often the key is asked for', async () => {
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

  test('holds 100 000 keys; then the one that was asked for longest ago goes', async () => {
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

describe('withdraw', () => {
  test('knows nothing of a key that never came, however often it is asked', async () => {
    const { sent, send, withdraw } = counted();
    expect(withdraw('key-1')).toBeUndefined();
    expect(withdraw('key-1')).toBeUndefined();
    await send({ ...request, idempotency_key: null });
    expect(withdraw('')).toBeUndefined();
    expect(sent).toEqual([null]);
  });

  test('tells the outcome, and sends nothing', async () => {
    const { sent, send, withdraw } = counted();
    await send(request);
    expect(await withdraw('key-1')).toEqual({ outcome: 'accepted', message_id: 'sms-1' });
    expect(sent).toHaveLength(1);
  });

  test('keeps a send that comes after it from being sent', async () => {
    const { sent, send, withdraw } = counted();
    expect(withdraw('key-1')).toBeUndefined();
    expect(await send(request)).toEqual({ outcome: 'not_sent', reason: 'withdrawn', no_outage: true });
    expect(sent).toEqual([]);
    expect(withdraw('key-1')).toBeUndefined(); // and that was no send
  });

  test('joins a send that is still running', async () => {
    const running = Promise.withResolvers<Outcome>();
    const { send, withdraw } = rememberSends(() => running.promise);
    const both = Promise.all([send(request), withdraw('key-1')]);
    running.resolve({ outcome: 'rejected', reason: 'opted_out' });
    expect(await both).toEqual(Array(2).fill({ outcome: 'rejected', reason: 'opted_out' }));
  });

  test('does not make the memory last longer', async () => {
    const { send, withdraw } = counted();
    await send(request);
    await vi.advanceTimersByTimeAsync(23 * hour);
    expect(withdraw('key-1')).toBeDefined();
    await vi.advanceTimersByTimeAsync(hour + 1);
    expect(withdraw('key-1')).toBeUndefined();
  });
});

describe('completeForMs', () => {
  test('is the time since the beginning, as long as nothing was forgotten', async () => {
    const beginning = Date.now();
    const { send, withdraw, completeForMs } = counted();
    expect(completeForMs()).toBe(0);
    await vi.advanceTimersByTimeAsync(hour);
    await send(request);
    withdraw('key-1');
    withdraw('key-2');
    expect(completeForMs()).toBe(Date.now() - beginning);
  });

  test('is not less than nothing, when the clock is set back', async () => {
    const { completeForMs } = counted();
    const now = Date.now();
    vi.setSystemTime(now - hour);
    expect(completeForMs()).toBe(0);
    vi.setSystemTime(now);
  });

  test('is the time since a key whose lifetime is over came, by the time that it is asked for', async () => {
    const { send, withdraw, completeForMs } = counted();
    await vi.advanceTimersByTimeAsync(hour);
    const came = Date.now();
    await send(request);
    await vi.advanceTimersByTimeAsync(hour);
    await send({ ...request, idempotency_key: 'key-2' });
    await vi.advanceTimersByTimeAsync(23 * hour + 1);
    expect(withdraw('key-1')).toBeUndefined();
    expect(completeForMs()).toBe(Date.now() - came);
    expect(withdraw('key-2')).toBeDefined();
  });

  test('is the time since the last key that had to go for want of room', async () => {
    const { send, withdraw, completeForMs } = counted();
    const came: number[] = [];
    for (let number = 0; number < 100_000; number += 1) {
      if (number < 3) {
        await vi.advanceTimersByTimeAsync(1000);
        came.push(Date.now());
      }
      void send({ ...request, idempotency_key: `key-${number}` });
    }
    withdraw('key-0'); // so that the second goes first, and the third, and then the first
    const since = (number: number) => {
      void send({ ...request, idempotency_key: `more-${number}` });
      return Date.now() - completeForMs();
    };
    expect(since(1)).toBe(came[1]);
    expect(since(2)).toBe(came[2]);
    for (let number = 3; number <= 100_000; number += 1) since(number);
    expect(withdraw('key-0')).toBeUndefined();
    expect(completeForMs()).toBe(Date.now() - (came[2] ?? Number.NaN));
  }, 30_000);
});

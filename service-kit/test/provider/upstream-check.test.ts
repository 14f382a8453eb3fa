import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Check, createAccount } from '../../src/provider/account.ts';
import { createUpstreamCheck } from '../../src/provider/upstream-check.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(check: () => Promise<Check> = async () => ({ state: 'healthy' })) {
  const log = { info() {}, error() {} } as unknown as FastifyBaseLogger;
  const account = createAccount({ provider: 'Twilio', log });
  const gateway = { check: vi.fn(check) };
  const upstream = createUpstreamCheck({ gateway, account, timeoutMs: 1000 });
  const refuse = () =>
    account.learnFromSend(
      { outcome: { outcome: 'not_sent', reason: 'twilio_20003' }, fault: 'account' },
      '+57',
      performance.now(),
    );
  return { account, gateway, upstream, refuse };
}

describe('the health of a provider', () => {
  test.each<[Check, boolean, object]>([
    [{ state: 'healthy' }, false, { status: 'healthy', reason: null, account_refused: false }],
    [
      { state: 'unknown', reason: 'check_forbidden' },
      false,
      { status: 'unknown', reason: 'check_forbidden', account_refused: false },
    ],
    [
      { state: 'refused', reason: 'credentials' },
      false,
      { status: 'unhealthy', reason: 'credentials', account_refused: true },
    ],
    [
      { state: 'unhealthy', reason: 'connection_refused' },
      false,
      { status: 'unhealthy', reason: 'connection_refused', account_refused: false },
    ],
    // After a send was refused, only a send can tell whether the next one is.
    [{ state: 'healthy' }, true, { status: 'unknown', reason: 'twilio_20003', account_refused: true }],
    [
      { state: 'unknown', reason: 'check_forbidden' },
      true,
      { status: 'unknown', reason: 'twilio_20003', account_refused: true },
    ],
    [
      { state: 'unhealthy', reason: 'http_500' },
      true,
      { status: 'unhealthy', reason: 'http_500', account_refused: false },
    ],
  ])('given the check %o, and a refused send: %s', async (check, isRefused, health) => {
    const { upstream, refuse } = setUp(async () => check);
    if (isRefused) refuse();
    await expect(upstream.health()).resolves.toEqual(health);
  });

  test('is asked for once a second at most, and once at a time', async () => {
    const { upstream, gateway } = setUp(
      () => new Promise((resolve) => setTimeout(resolve, 700, { state: 'healthy' })),
    );
    const asked = [upstream.health()];
    for (let ms = 0; ms < 2000; ms += 100) {
      await vi.advanceTimersByTimeAsync(100);
      asked.push(upstream.health());
    }
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(asked);
    expect(gateway.check).toHaveBeenCalledTimes(3); // at 0, 1 and 2 s
  });

  test('is unhealthy, given a provider that does not answer in time', async () => {
    const { upstream } = setUp(() => new Promise(() => {}));
    const health = upstream.health();
    await vi.advanceTimersByTimeAsync(1000);
    await expect(health).resolves.toMatchObject({ status: 'unhealthy', reason: 'gateway_timeout' });
  });
});

describe('the watch', () => {
  test.each<[Check, number]>([
    [{ state: 'healthy' }, 1 + 2],
    [{ state: 'unknown', reason: 'check_forbidden' }, 1 + 2],
    [{ state: 'unhealthy', reason: 'connection_refused' }, 1 + 40],
    [{ state: 'refused', reason: 'credentials' }, 1 + 40],
  ])('given the check %o, checks at once and within ten minutes %i times', async (check, times) => {
    const { upstream, gateway } = setUp(async () => check);
    const stopping = new AbortController();
    upstream.watch(stopping.signal);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(gateway.check).toHaveBeenCalledTimes(times);
    stopping.abort();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(gateway.check).toHaveBeenCalledTimes(times);
  });

  test('finds a refused account without a send', async () => {
    const { account, upstream } = setUp(async () => ({ state: 'refused', reason: 'credentials' }));
    const stopping = new AbortController();
    upstream.watch(stopping.signal);
    await vi.advanceTimersByTimeAsync(0);
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'credentials' });
    stopping.abort();
  });
});

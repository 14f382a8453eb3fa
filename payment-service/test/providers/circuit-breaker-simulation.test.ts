import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { circuitBreakerDefaults, createCircuitBreaker } from '../../src/providers/circuit-breaker.ts';
import type { CircuitState } from '../../src/providers/circuit-report.ts';
import { upstreamHealth } from '../fixture.ts';

/** How long a call takes, in ms. */
const callMs = 100;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Mulberry32: the same calls fail in each run of the test. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A breaker under regular traffic, with a provider whose calls and checks fail by chance. */
function createTraffic(perSecond: number) {
  const random = createRandom(20260102);
  const openedAt: number[] = [];
  const underWay: { endsAt: number; end: () => void }[] = [];
  const counts = { fired: 0, called: 0 };
  let failingShare = 0;
  let now = 0;
  const breaker = createCircuitBreaker<[], string>({
    provider: 'Aldeamo',
    parameters: circuitBreakerDefaults,
    action: () => {
      counts.called += 1;
      const countsAs = random() < failingShare ? 'failure' : 'success';
      return new Promise((resolve) => {
        const end = () => resolve({ result: 'Aldeamo', countsAs, reason: 'http_500' });
        underWay.push({ endsAt: now + callMs, end });
      });
    },
    fallback: async () => 'Twilio',
    check: async () => upstreamHealth(random() >= failingShare),
    onChange: (state: CircuitState) => {
      if (state === 'open') openedAt.push(now);
    },
    log: { info() {}, warn() {} } as unknown as FastifyBaseLogger,
  });

  async function settle(): Promise<void> {
    while (underWay[0] && underWay[0].endsAt <= now) {
      underWay.shift()?.end();
      for (let turn = 0; turn < 8; turn += 1) await null; // until it has been counted
    }
  }

  /** Regular traffic with this share of failing calls. */
  async function run(seconds: number, share: number) {
    failingShare = share;
    openedAt.length = 0;
    Object.assign(counts, { fired: 0, called: 0 });
    const startedAt = now;
    const stepMs = Math.min(callMs, 1000 / perSecond);
    const stepsPerCall = 1000 / perSecond / stepMs;
    for (let step = 0; step < (seconds * 1000) / stepMs; step += 1) {
      await settle();
      if (step % stepsPerCall === 0) {
        counts.fired += 1;
        void breaker.fire();
      }
      vi.advanceTimersByTime(stepMs);
      now += stepMs;
    }
    return {
      openings: openedAt.length,
      opensAfterMs: (openedAt[0] ?? Number.POSITIVE_INFINITY) - startedAt,
      shareCalled: counts.called / counts.fired,
    };
  }
  return { run };
}

const never = Number.POSITIVE_INFINITY;
const window = circuitBreakerDefaults.rollingCountTimeout;

// Lowest and highest; each row starts after 30 healthy seconds. At 1 call a second a run of 3 lasts 2 s and opens the
// circuit: with 10% failing one in 1000 calls starts such a run. At 10 a second a run takes 11 calls to last a second, at
// 500 it takes 501, which chance does not bring about. Then the rate decides, once half of the window has failed.
test.each([
  { perSecond: 1, percent: 1, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 1, percent: 10, openings: [0, 4], opensAfterMs: [2000, never], called: [0.9, 1] },
  { perSecond: 1, percent: 40, openings: [15, 35], opensAfterMs: [2000, 150_000], called: [0.2, 0.6] },
  { perSecond: 1, percent: 60, openings: [25, 40], opensAfterMs: [2000, 60_000], called: [0.1, 0.4] },
  { perSecond: 1, percent: 100, openings: [39, 40], opensAfterMs: [2100, 2100], called: [0, 0.01] },
  { perSecond: 10, percent: 1, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 10, percent: 10, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 10, percent: 40, openings: [0, 6], opensAfterMs: [1000, never], called: [0.8, 1] },
  { perSecond: 10, percent: 60, openings: [20, 40], opensAfterMs: [1000, window], called: [0, 0.2] },
  { perSecond: 10, percent: 100, openings: [39, 40], opensAfterMs: [1100, 1100], called: [0, 0.01] },
  { perSecond: 500, percent: 1, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 500, percent: 10, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 500, percent: 40, openings: [0, 0], opensAfterMs: [never, never], called: [1, 1] },
  { perSecond: 500, percent: 60, openings: [2, 4], opensAfterMs: [1000, window], called: [0.2, 0.6] },
  { perSecond: 500, percent: 100, openings: [4, 4], opensAfterMs: [1100, 1100], called: [0, 0.02] },
])('given $perSecond calls a second of which $percent% fail, opens as early and as often as the rules say', async ({
  perSecond,
  percent,
  ...expected
}) => {
  const { run } = createTraffic(perSecond);
  await run(30, 0);
  const { openings, opensAfterMs, shareCalled } = await run(perSecond === 500 ? 60 : 600, percent / 100);
  expectBetween(openings, expected.openings);
  expectBetween(opensAfterMs, expected.opensAfterMs);
  expectBetween(shareCalled, expected.called);
});

function expectBetween(value: number, [min = 0, max = 0]: number[]): void {
  expect(value).toBeGreaterThanOrEqual(min);
  expect(value).toBeLessThanOrEqual(max);
}

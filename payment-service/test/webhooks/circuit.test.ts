import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterFailure, type Circuit, closedCircuit } from '../../src/webhooks/circuit.ts';

const failed = { result: 'failed', reason: 'http_500' } as const;
const throttled = (retryAfterMs: number) =>
  ({ result: 'failed', reason: 'http_429', retryAfterMs, isThrottled: true }) as const;
const even = () => 0.5;
const open = (probeAt: number, pauseMs: number, reason = 'http_500'): Circuit => ({
  state: 'open',
  ...{ reason, probeAt, pauseMs },
});
/** The circuit after these failures at the time 1000. */
const after = (circuit: Circuit, isProbe: boolean, ...failures: Parameters<typeof afterFailure>[1][]) =>
  failures.reduce(
    (current, failure) => afterFailure(current, failure, { at: 1000, isProbe, random: even }),
    circuit,
  );

describe('the circuit of the webhook endpoint', () => {
  test.each<[what: string, next: Circuit, expected: Circuit]>([
    [
      'stays closed after four failures',
      after(closedCircuit, false, ...Array(4).fill(failed)),
      { state: 'closed', failures: 4 },
    ],
    ['opens for 5 s after five', after(closedCircuit, false, ...Array(5).fill(failed)), open(6000, 5000)],
    [
      'opens at once for a Retry-After of all deliveries',
      after(closedCircuit, false, throttled(90_000)),
      open(91_000, 5000, 'http_429'),
    ],
    [
      'opens for 5 s at least for one that is shorter',
      after(closedCircuit, false, throttled(0)),
      open(6000, 5000, 'http_429'),
    ],
    [
      'stays closed for a Retry-After of one delivery',
      after(closedCircuit, false, { ...failed, retryAfterMs: 90_000 }),
      { state: 'closed', failures: 1 },
    ],
    [
      'doubles its pause after a probe that fails',
      after(open(900, 5000), true, failed),
      open(11_000, 10_000),
    ],
    ['pauses for a minute at most', after(open(900, 40_000), true, failed), open(61_000, 60_000)],
    [
      'heeds the Retry-After of a probe',
      after(open(900, 5000), true, throttled(90_000)),
      open(91_000, 10_000),
    ],
    [
      'is not moved by a try that was begun before it opened',
      after(open(6000, 5000), false, failed),
      open(6000, 5000),
    ],
    [
      'heeds the Retry-After of such a try',
      after(open(6000, 5000), false, throttled(7000)),
      open(8000, 5000),
    ],
    [
      'heeds no Retry-After that ends before the next probe',
      after(open(6000, 5000), false, throttled(10)),
      open(6000, 5000),
    ],
  ])('%s', (_what, next, expected) => {
    expect(next).toEqual(expected);
  });

  test('that meets a dead endpoint for an hour lets about sixty-five probes through', () => {
    const hour = 3_600_000;
    const property = fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (randoms) => {
      const random = () => randoms.next().value as number;
      let circuit = after(closedCircuit, false, ...Array(5).fill(failed));
      let probes = 0;
      for (let at = 0; at < hour; probes += 1) {
        if (circuit.state === 'closed') throw new Error('it closed');
        at = circuit.probeAt;
        circuit = afterFailure(circuit, failed, { at, isProbe: true, random });
      }
      expect(probes).toBeGreaterThan(55);
      expect(probes).toBeLessThan(72);
    });
    fc.assert(property, { numRuns: 200 });
  });
});

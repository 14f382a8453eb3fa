import { describe, expect, test } from 'vitest';
import { createSandbox } from '../../../src/provider/sandbox/sandbox.ts';
import { type Seen, serve } from './fixture.ts';

describe('the seed', () => {
  // Faults without a delay, each with another answer.
  const mixed = { throttle_rate: 0.25, garbage_rate: 0.2, cut_after_rate: 0.2, failure_rate: 0.3 };
  const run = async ({ send }: { send: (key: string) => Promise<Seen> }, name: string, count = 40) => {
    const seen: string[] = [];
    for (let number = 0; number < count; number += 1) {
      const one = await send(`${name}-${number}`);
      seen.push(typeof one === 'string' ? one : `${one.status} ${one.body.length}`);
    }
    return seen;
  };

  test('makes a run repeatable, in the same sandbox and in another one', async () => {
    const served = await serve(mixed);
    await served.set({ seed: 7 });
    const first = await run(served, 'first');
    expect(new Set(first).size).toBeGreaterThanOrEqual(5); // each fault, and none
    await served.set({ seed: 7 });
    expect(await run(served, 'second')).toEqual(first);
    expect(await run(await serve({ ...mixed, seed: 7 }), 'third')).toEqual(first);
  });

  test('decides the run: another seed makes another one, and other settings do not restart it', async () => {
    const served = await serve({ ...mixed, seed: 7 });
    const first = await run(served, 'first', 20);
    await served.set({ latency_ms: 0 });
    const rest = await run(served, 'rest', 20);
    expect(await run(await serve({ ...mixed, seed: 7 }), 'whole')).toEqual([...first, ...rest]);
    expect(await run(await serve({ ...mixed, seed: 8 }), 'other', 20)).not.toEqual(first);
  });

  test('is 1 by default', async () => {
    expect(await run(await serve(mixed), 'a', 20)).toEqual(
      await run(await serve({ ...mixed, seed: 1 }), 'b', 20),
    );
  });
});

test.each([
  'slow',
  'hang',
  'cut_before',
  'cut_after',
  'late',
  'throttle',
  'garbage',
] as const)('given a rate of 0.2, a fifth of the requests meet it: %s', (fault) => {
  // Other faults have ranges before and after it.
  const others = { slow_rate: 0.1, hang_rate: 0.1, late_rate: 0.1, garbage_rate: 0.1 };
  const sandbox = createSandbox({ provider: 'Aldeamo', settings: { ...others, [`${fault}_rate`]: 0.2 } });
  const rolled = Array.from({ length: 20_000 }, () => sandbox.nextFault());
  const share = rolled.filter((one) => one === fault).length / rolled.length;
  expect(Math.abs(share - 0.2)).toBeLessThan(0.015);
});

import type { SandboxSettings } from '../../contract/sandbox-settings.ts';

/** The faults that a request can meet between two services. A failure is not among them: the sandbox itself has those. */
export const faults = ['slow', 'hang', 'cut_before', 'cut_after', 'late', 'throttle', 'garbage'] as const;
export type Fault = (typeof faults)[number];

export const faultOf = (settings: SandboxSettings, random: number): Fault | undefined =>
  drawn(faults, settings, random);

type Rates<Name extends string> = Readonly<Record<`${Name}_rate`, number>>;

/** The name of a random number from 0 to below 1: each has a range as wide as its rate, and what remains has none. */
export function drawn<Name extends string>(
  names: readonly Name[],
  rates: Rates<NoInfer<Name>>,
  random: number,
): Name | undefined {
  let upTo = 0;
  return names.find((name) => {
    upTo += rates[`${name}_rate`];
    return random < upTo;
  });
}

/** Random numbers from 0 to below 1 (mulberry32), the same for the same seed, so that a run can be repeated. */
export function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

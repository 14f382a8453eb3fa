import { z } from 'zod';

const rate = (what: string) =>
  z
    .number()
    .min(0)
    .max(1)
    .meta({ description: `The share of sends that ${what}` });
const milliseconds = (what: string) =>
  z
    .number()
    .int()
    .min(0)
    .max(600_000)
    .meta({ description: `Milliseconds: ${what}` });

/** How the sandbox behaves. On the way to it and back a request meets at most one of the faults. */
export const sandboxSettingsSchema = z.strictObject({
  latency_ms: milliseconds('how long a send takes'),
  failure_rate: rate('fail: they arrive, and are not accepted (503)'),
  slow_rate: rate('take `slow_ms` longer'),
  slow_ms: milliseconds('how much longer a slow send takes'),
  hang_rate: rate('are not accepted, and never answered'),
  cut_before_rate: rate('are not accepted, and have their connection cut'),
  cut_after_rate: rate('are accepted, and have their connection cut'),
  late_rate: rate('are accepted, and answered `late_ms` later'),
  late_ms: milliseconds('how late a late answer is'),
  throttle_rate: rate('are not accepted, and asked to come back after `retry_after_s` (429)'),
  retry_after_s: z.number().int().min(0).max(86_400).meta({ description: 'Seconds' }),
  garbage_rate: rate('are accepted, and answered with 200 and a body that can not be read'),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .meta({ description: 'Where the dice start; setting it starts them again' }),
});
export type SandboxSettings = z.infer<typeof sandboxSettingsSchema>;

/** A sandbox without faults. */
export const wellBehaved: SandboxSettings = {
  latency_ms: 0,
  failure_rate: 0,
  slow_rate: 0,
  slow_ms: 1000,
  hang_rate: 0,
  cut_before_rate: 0,
  cut_after_rate: 0,
  late_rate: 0,
  late_ms: 10_000,
  throttle_rate: 0,
  retry_after_s: 1,
  garbage_rate: 0,
  seed: 1,
};

/** What can befall a request on its way to the sandbox and back. A failure is the sandbox's own. */
const faults = ['slow', 'hang', 'cut_before', 'cut_after', 'late', 'throttle', 'garbage'] as const;
export type Fault = (typeof faults)[number];

/** The fault that a roll from 0 to below 1 means: the rates stand side by side, and the rest is for no fault. */
export function faultOf(settings: SandboxSettings, roll: number): Fault | undefined {
  let upTo = 0;
  return faults.find((fault) => {
    upTo += settings[`${fault}_rate`];
    return roll < upTo;
  });
}

export const sumOfFaultRates = (settings: SandboxSettings) =>
  faults.reduce((sum, fault) => sum + settings[`${fault}_rate`], 0);

/** A seeded source of rolls from 0 to below 1 (mulberry32), so that a run can be repeated. */
export function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

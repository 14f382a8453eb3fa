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

/** The settings of a provider's sandbox. A request meets at most one of the faults. */
export const sandboxSettingsSchema = z.strictObject({
  latency_ms: milliseconds('how long a send takes'),
  failure_rate: rate('fail: they are not accepted, and answered with 503'),
  slow_rate: rate('take `slow_ms` longer'),
  slow_ms: milliseconds('how much longer a slow send takes'),
  hang_rate: rate('are not accepted, and never answered'),
  cut_before_rate: rate('are not accepted, and lose their connection'),
  cut_after_rate: rate('are accepted, and lose their connection'),
  late_rate: rate('are accepted, and answered `late_ms` later'),
  late_ms: milliseconds('how much later a late answer arrives'),
  throttle_rate: rate('are not accepted, and answered with 429 and `retry_after_s` as Retry-After'),
  retry_after_s: z
    .number()
    .int()
    .min(0)
    .max(86_400)
    .meta({ description: 'Seconds: the Retry-After of a throttled send' }),
  garbage_rate: rate('are accepted, and answered with 200 and an unreadable body'),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .meta({ description: 'The seed of the random numbers; setting it restarts their sequence' }),
});
export type SandboxSettings = z.infer<typeof sandboxSettingsSchema>;

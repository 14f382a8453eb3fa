import { z } from 'zod';

export const circuitStates = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof circuitStates)[number];

/** What a circuit breaker reports of itself. */
export const circuitReportSchema = z.object({
  state: z.enum(circuitStates),
  since: z.iso.datetime().meta({ description: 'When it came into this state' }),
  reason: z
    .string()
    .meta({ description: 'Why it did', example: '3 failures in a row, the last: connection_refused' }),
  consecutive_failures: z.number().int(),
  calls: z.number().int().meta({ description: 'Calls that ended in the rolling window' }),
  failures: z.number().int().meta({ description: 'How many of them failed' }),
  next_probe_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When an open circuit lets a probe through' }),
});
export type CircuitReport = z.infer<typeof circuitReportSchema>;

/** A provider's circuit breaker, and the pause that the provider asked for (Retry-After), which is not the breaker's. */
export const providerReportSchema = circuitReportSchema.extend({
  throttled_until: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Until when the provider asked not to be called' }),
});
export type ProviderReport = z.infer<typeof providerReportSchema>;

import { accountReportSchema } from 'service-kit/contract/account.ts';
import { modeSchema } from 'service-kit/contract/mode.ts';
import { z } from 'zod';

export const circuitStates = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof circuitStates)[number];

/** What a circuit breaker reports of itself. */
export const circuitReportSchema = z.object({
  state: z.enum(circuitStates),
  since: z.iso.datetime().meta({
    description:
      'When the circuit opened, whatever probes have failed since; of a closed one, when it closed',
  }),
  reason: z.string().meta({
    description:
      'Why the circuit opened, whatever probes have failed since, or that the account is refused; of a closed one, why it closed',
    example: '3 failures in a row, the last: connection_refused',
  }),
  last_check: z
    .object({
      at: z.iso.datetime(),
      reason: z.string().meta({
        description: 'Why the circuit did not close',
        example: 'the background check failed: http_503',
      }),
    })
    .nullable()
    .meta({
      description:
        'The last check or probe of an open or half-open circuit; null before the first one, and of a closed circuit',
    }),
  consecutive_failures: z.number().int(),
  calls: z.number().int().meta({ description: 'The number of calls that ended in the rolling window' }),
  failures: z.number().int().meta({ description: 'The number of these calls that failed' }),
  next_probe_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When an open circuit allows a probe; null in any other state' }),
});
export type CircuitReport = z.infer<typeof circuitReportSchema>;

/**
 * A provider's circuit breaker, and what is not the breaker's: the pause that the provider asked for (Retry-After), the hold of an
 * operator, without who and why because it is public, and the account.
 */
export const providerReportSchema = circuitReportSchema
  .extend({
    throttled_until: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the pause ends that the provider has asked for; null without one' }),
    held: z
      .object({
        since: z.iso.datetime(),
        until: z.iso.datetime().nullable().meta({ description: 'null: not before it is released' }),
      })
      .nullable()
      .meta({
        description:
          'Since when an operator holds the provider, so that no SMS is offered to it; null unless it is held',
      }),
    mode: modeSchema
      .nullable()
      .meta({ description: 'Whether its service sends for real; null until it has reported that' }),
    account: accountReportSchema
      .nullable()
      .meta({ description: 'The account at the provider, as its service knows it; null for a sandbox' }),
  })
  .meta({ id: 'Circuit', description: "A provider's circuit" });
export type ProviderReport = z.infer<typeof providerReportSchema>;

export const circuitsSchema = z
  .object({ Aldeamo: providerReportSchema, Twilio: providerReportSchema })
  .meta({ description: "Each provider's circuit" });

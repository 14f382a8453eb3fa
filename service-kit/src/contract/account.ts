import { z } from 'zod';
import { reasonSchema } from './notification.ts';

/** What a provider service reports of its account, and of the provider that has it. */

export const accountStates = ['unknown', 'ok', 'refused'] as const;

export const accountReportSchema = z
  .object({
    state: z.enum(accountStates).meta({
      description:
        '`refused`: the provider refuses every SMS until a person corrects the account, the sender or a setting. `unknown`: nothing was sent yet, and the check could not tell',
      example: 'refused',
    }),
    reason: reasonSchema.nullable().meta({ description: 'Why it is refused', example: 'credentials' }),
    since: z.iso.datetime().meta({ description: 'When it came into this state' }),
    balance: z
      .number()
      .nullable()
      .meta({ description: 'The SMS that are left, where the provider reports them' }),
  })
  .meta({ id: 'Account' });
export type AccountReport = z.infer<typeof accountReportSchema>;

/**
 * What the check of a provider has found, without sending anything. `unknown`: the provider answers, and only a send can tell
 * whether it accepts one.
 */
export const upstreamHealthSchema = z.object({
  status: z.enum(['healthy', 'unknown', 'unhealthy']),
  reason: reasonSchema.nullable().catch(null).default(null),
  account_refused: z.boolean().catch(false).default(false),
});
export type UpstreamHealth = z.infer<typeof upstreamHealthSchema>;

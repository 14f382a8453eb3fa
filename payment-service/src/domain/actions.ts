import { providerSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';

/** What an operator has done about a notification. */
export const actionSchema = z
  .object({
    at: z.iso.datetime(),
    by: z.string().nullable().meta({
      description: 'The name of the key that asked for it; null without keys',
      example: 'maria',
    }),
    action: z.enum(['resend', 'retry', 'cancel', 'erase']).meta({
      description:
        '`resend`: was sent again, perhaps to another phone; `retry`: was retried with others; `erase`: was cancelled, because its customer was erased',
    }),
    reason: z.string().nullable().meta({
      description: 'What the operator gave as the reason; null once the customer is erased',
      example: 'the customer has a new number',
    }),
    provider: providerSchema
      .nullable()
      .default(null)
      .meta({ description: 'The provider that the operator chose for a resend; null: none in particular' }),
  })
  .meta({ id: 'Action' });
export type Action = z.infer<typeof actionSchema>;

/** With what is compared if its request comes again. */
export const storedActionSchema = actionSchema.extend({
  /** The Idempotency-Key, and the request that it came with, as hashes; null without a key. */
  request: z.object({ key: z.string(), fingerprint: z.string() }).nullable().default(null),
});
export type StoredAction = z.infer<typeof storedActionSchema>;

export const viewAction = ({ request: _request, ...action }: StoredAction): Action => action;

import { customerIdSchema, providerSchema } from 'service-kit/contract/notification.ts';
import type { FieldError } from 'service-kit/http/problem.ts';
import { z } from 'zod';
import { referenceSchema } from '../domain/merchant-data.ts';
import { defaultPageLimit, pageLimitSchema } from '../domain/page-limit.ts';
import { notificationStatusSchema } from '../domain/payment.ts';
import { requestTimeSchema } from '../domain/request-time.ts';
import type { PaymentFilters } from '../store/store.ts';
import { filtersTooWide } from './narrow-filters.ts';

const statuses = notificationStatusSchema.options;

/** One, or several by repetition of the field. */
const statusesSchema = z
  .preprocess(
    (given) => (given === undefined ? given : [...new Set([given].flat())]),
    z
      .array(z.string())
      .transform((given, { issues }) => {
        const { data } = z.array(notificationStatusSchema).safeParse(given);
        if (data) return data;
        issues.push({ code: 'custom', message: `must be one of ${statuses.join(', ')}`, input: given });
        return z.NEVER;
      })
      .optional(),
  )
  .meta({
    description: 'Payments with any of these: the field may be repeated',
    items: { type: 'string', enum: statuses },
  });

const timeSchema = requestTimeSchema.transform((ms) => new Date(ms).toISOString());

const cursorSchema = z.string().optional();

/** What a list of payments can be narrowed by. */
export const paymentFilterFields = {
  reference: referenceSchema.optional(),
  customer_id: customerIdSchema.optional(),
  client: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'must be the name of a client')
    .optional()
    .meta({ description: 'The name of the key that the payment was made with', example: 'portal' }),
  notification_status: statusesSchema,
  notification_service: providerSchema.optional().meta({
    description: 'The provider that accepted the notification last',
  }),
  reason: z
    .string()
    .min(1, 'must not be empty')
    .max(200, 'must have at most 200 characters')
    .regex(/^\P{C}*$/u, 'must not contain control or invisible characters')
    .optional()
    .meta({
      description: 'Why the notification failed or is held; `no_receipt` if it was sent and no receipt came',
      example: 'phone_unknown',
    }),
  possible_duplicate: z
    .enum(['true', 'false'], 'must be true or false')
    .transform((given) => given === 'true')
    .optional()
    .meta({ type: 'boolean', enum: [true, false] }),
  created_after: timeSchema.optional().meta({
    description: 'Created at this time or later (RFC 3339)',
    example: '2026-01-31T00:00:00-05:00',
  }),
  created_before: timeSchema
    .optional()
    .meta({ description: 'Created before this time (RFC 3339)', example: '2026-02-01T00:00:00-05:00' }),
};

const paging = {
  limit: pageLimitSchema
    .removeDefault()
    .optional()
    .meta({ type: 'integer', minimum: 1, maximum: 100, description: `By default ${defaultPageLimit}` }),
  starting_after: cursorSchema.meta({
    description: 'The id of a payment of this list, after which the page starts: it has older ones',
  }),
  ending_before: cursorSchema.meta({
    description:
      'The id of a payment of this list, before which the page ends: it has the next newer ones, newest first',
  }),
};

export const paymentQuerySchema = z
  .strictObject({ ...paging, ...paymentFilterFields })
  .superRefine((query, { issues }) => {
    const errors = [...bothCursors(query), ...reversedRange(query), ...filtersTooWide(query)];
    for (const { path, message } of errors)
      issues.push({ code: 'custom', path: [path], message, input: query });
  });

/** A page cannot start after one payment and end before another. */
function bothCursors({ starting_after, ending_before }: Cursors): FieldError[] {
  if (starting_after === undefined || ending_before === undefined) return [];
  return [
    { path: 'starting_after', message: 'must not come with `ending_before`' },
    { path: 'ending_before', message: 'must not come with `starting_after`' },
  ];
}

interface Cursors {
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

export function reversedRange({
  created_after,
  created_before,
}: Pick<PaymentFilters, 'created_after' | 'created_before'>): FieldError[] {
  if (created_after === undefined || created_before === undefined || created_after < created_before)
    return [];
  return [{ path: 'created_before', message: 'must be later than `created_after`' }];
}

export type PaymentListQuery = z.output<typeof paymentQuerySchema>;

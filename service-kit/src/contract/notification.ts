import { z } from 'zod';
import { modeSchema } from './mode.ts';
import { printable } from './printable.ts';

/** The contract between payment-service and the provider services: the request, its outcome and the delivery receipt. */

/** In the order in which they are tried. */
export const providers = ['Aldeamo', 'Twilio'] as const;
export const providerSchema = z.enum(providers).meta({ id: 'Provider' });
export type Provider = z.infer<typeof providerSchema>;

/**
 * Not spaces alone, nor what shows nothing by itself, such as U+200B or an accent without a letter: a customer would get an empty
 * SMS. An empty text has its own error.
 */
const notBlank = /^$|[^\s\p{M}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffc]/u;

/** An id that a merchant has chosen. Cc: control characters, Cf: invisible formatting (it can disguise an id in a log), Cs: half a surrogate pair. */
export const merchantIdSchema = z
  .string()
  .min(1, 'must not be empty')
  .max(255, 'must have at most 255 characters')
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}]*$/u, 'must not contain control or invisible characters')
  .regex(notBlank, 'must not be blank');

export const customerIdSchema = merchantIdSchema.meta({ description: "The customer's id", example: '123' });

/** @param longest in UTF-16 code units */
export const textSchema = (longest: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(longest, 'must have at most 1600 characters')
    .regex(/^(?:[^\p{Cc}\p{Cs}]|[\n\r\t])*$/u, 'must not contain control characters')
    .regex(notBlank, 'must not be blank');

/** Twilio's limit is 1600 characters, and no provider's is higher. */
export const messageSchema = textSchema(1600).meta({
  description: 'The text of the SMS',
  example: 'Pago recibido',
});

export const phoneSchema = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/, 'must be an E.164 number such as +573001234567')
  .meta({ description: "The customer's phone, E.164", example: '+573001234567' });

export const notifyRequestSchema = z
  .strictObject({
    message: messageSchema,
    customer_id: customerIdSchema,
    phone: phoneSchema.optional(),
    ttl_seconds: z.number().int().positive().optional().meta({
      description:
        'How long the SMS is worth delivering. Not part of what an Idempotency-Key is compared by. Without it the provider decides',
    }),
    live_only: z.boolean().optional().meta({
      description:
        'true: a sandbox does not accept the SMS, because the other provider is live and the customer would get nothing. Not part of what an Idempotency-Key is compared by',
    }),
  })
  .meta({ id: 'NotifyRequest' });
export type NotifyRequest = z.infer<typeof notifyRequestSchema>;

/** A String of RFC 8941 section 3.3.3, whose only escapes are `\"` and `\\`. */
const quotedKey = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;
const bareKey = /^[ !#-+\--:<-~]+$/;

/**
 * One key of 1 to 255 printable ASCII characters: in quotes, as the IETF draft has it, or bare, as most clients send it, and then
 * without `"`, `,` and `;`. Both forms name the same key. A list and parameters are refused, because the rest would be
 * taken for a part of the key.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export const idempotencyKeySchema = z.string().transform((header, context) => {
  const key = bareKey.test(header) ? header : quotedKey.exec(header)?.[1]?.replace(/\\(.)/g, '$1');
  if (key !== undefined && key.length >= 1 && key.length <= 255) return key;
  context.issues.push({
    code: 'custom',
    message: 'must be one key of 1 to 255 printable ASCII characters, in quotes if it has " , or ;',
    input: header,
  });
  return z.NEVER;
});

/**
 * An id that comes from a provider or its service. Each side that stores or compares one reads it with this, so that a receipt
 * still finds its attempt.
 */
export const idSchema = z
  .string()
  .overwrite((id) => printable(id, 255))
  .min(1)
  .meta({
    description: 'Truncated to 255 characters; unprintable characters are replaced by U+FFFD',
    example: 'SM0123456789abcdef',
  });

/** An id in an answer, which may be a number. Empty and 0 are none. */
export const answeredIdSchema = z
  .union([z.string(), z.number()])
  .transform((id) => String(id || ''))
  .pipe(idSchema);

/** A reason that comes from a provider or its service. */
export const reasonSchema = z
  .string()
  .overwrite((reason) => printable(reason, 200))
  .min(1)
  .meta({
    description:
      'A short code such as connection_refused. Truncated to 200 characters; unprintable characters are replaced by U+FFFD',
    example: 'connection_refused',
  });

/** How what became of an accepted SMS is learned: the provider reports it (`push`), or answers when it is asked (`pull`). */
const receiptWaySchema = z.enum(['push', 'pull']);
export type ReceiptWay = z.infer<typeof receiptWaySchema>;

/** A later release may know more ways than this one. */
const receiptWaysSchema = z.array(receiptWaySchema).optional().catch(undefined).meta({
  description:
    'How receipts of this SMS arrive: none if it is empty. Older provider services do not report it',
});

export const notifyReplySchema = z
  .object({
    provider: providerSchema,
    status: z.literal('sent'),
    message_id: idSchema,
    receipts: receiptWaysSchema,
    mode: modeSchema.optional().meta({
      description: '`sandbox`: nothing was sent for real. Older provider services do not report it',
    }),
  })
  .meta({ id: 'NotifyReply' });

/**
 * The outcome of one call to one provider. Only `accepted` has a message id; the others have a reason.
 *
 * `retry_after_ms` is the pause that the provider asks for. With `no_outage` the outcome is no sign of an outage, because
 * the provider declined just this message, or was not called at all. With `account_refused` the provider refuses every SMS until
 * a person corrects the account or a setting. `mode` is that of the gateway whose outcome it is, `receipts` how its receipts
 * arrive.
 */
const outcomeSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('accepted'),
    message_id: idSchema,
    mode: modeSchema.optional(),
    receipts: receiptWaysSchema,
  }),
  z.object({
    outcome: z.literal('rejected'),
    reason: reasonSchema,
    no_outage: z.boolean().optional(),
    mode: modeSchema.optional(),
  }),
  z.object({
    outcome: z.literal('not_sent'),
    reason: reasonSchema,
    retry_after_ms: z.number().int().nonnegative().optional(),
    no_outage: z.boolean().optional(),
    account_refused: z.boolean().optional(),
    mode: modeSchema.optional(),
  }),
  z.object({ outcome: z.literal('unknown'), reason: reasonSchema, mode: modeSchema.optional() }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

export const outcomes = outcomeSchema.options.map(({ shape }) => shape.outcome.value);

/**
 * An outcome other than `accepted`, as members of a problem document. It counts however odd the others are, so that a recipient's
 * refusal never leads to another provider.
 */
export const outcomeMembersSchema = z.object({
  outcome: z.enum(['rejected', 'not_sent', 'unknown']),
  reason: reasonSchema.catch('unspecified'),
  no_outage: z.boolean().optional().catch(undefined),
  account_refused: z.boolean().optional().catch(undefined),
  mode: modeSchema.optional().catch(undefined),
  /** Absent if the outcome is that of this request alone, which was refused, and in a problem of an earlier release. */
  outcome_of: z.literal('notification').optional().catch(undefined),
});

/**
 * The 404 of DELETE /notify: every key that came within this time is known there, so a younger request never came. A
 * duration, not a timestamp, so that clocks of two hosts are never compared.
 */
export const unknownKeySchema = z.object({ complete_for_ms: z.number().int().nonnegative() });

/**
 * What became of an accepted SMS. `not_sent`: it certainly was not, so that another provider may send it. `undelivered`: for want
 * of the handset or the network. `filtered`: for its text or its sender. `refused`: the recipient, or the recipient's number.
 */
export const receiptStatusSchema = z
  .enum(['delivered', 'not_sent', 'undelivered', 'filtered', 'refused'])
  .meta({ id: 'ReceiptStatus' });
export type ReceiptStatus = z.infer<typeof receiptStatusSchema>;

const reportedAt = z.iso
  .datetime()
  .optional()
  .meta({ description: "The provider's own time, UTC. Without it the time of arrival counts" });

/** A provider's later report about an SMS that it accepted. */
export const receiptSchema = z
  .strictObject({
    provider: providerSchema,
    message_id: idSchema,
    /** The key of the attempt, which the report contains. */
    idempotency_key: idSchema.meta({ example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d-1' }),
    status: receiptStatusSchema,
    reason: reasonSchema.nullable().meta({ example: null }),
    at: reportedAt,
  })
  .meta({ id: 'Receipt', description: 'A delivery receipt' });
export type Receipt = z.infer<typeof receiptSchema>;

/** A recipient's message to the sender of an SMS, by which they forbid further ones, or allow them again. */
export const optOutSchema = z
  .strictObject({
    provider: providerSchema,
    phone: phoneSchema.meta({ description: "The recipient's phone, E.164", example: '+573001234567' }),
    keyword: z.enum(['stop', 'start']),
    /** The id that the provider gave the recipient's message. */
    message_id: idSchema,
  })
  .meta({ id: 'OptOut', description: "A recipient's STOP or START" });
export type OptOut = z.infer<typeof optOutSchema>;

/** The answer of a provider service that is asked what became of an SMS. */
export const messageReportSchema = z
  .object({
    provider: providerSchema,
    message_id: idSchema,
    status: receiptStatusSchema.nullable().meta({ description: 'null: the provider does not know it yet' }),
    reason: reasonSchema.nullable().meta({ example: null }),
    at: reportedAt,
  })
  .meta({ id: 'MessageReport' });
export type MessageReport = z.infer<typeof messageReportSchema>;

import { customerIdSchema, messageSchema, textSchema } from 'service-kit/contract/notification.ts';
import { type countrySchema, normalizePhone } from 'service-kit/contract/phone.ts';
import { measureText } from 'service-kit/contract/sms-text.ts';
import { transliterate } from 'service-kit/contract/transliteration.ts';
import { z } from 'zod';
import { currencyCodes, currencyError, decimalsOf } from '../domain/currencies.ts';
import { metadataSchema, referenceSchema } from '../domain/merchant-data.ts';
import { amountError, parseAmount } from '../domain/money.ts';

/** Validation settings of an operator. */
export interface RequestRules {
  /** The country of phones without a calling code. */
  defaultCountry: z.infer<typeof countrySchema>;
  /** Replaces characters by those of GSM-7 where there is an equivalent. */
  transliterate: boolean;
  /** The limit of SMS per text. */
  maxSegments: number;
  /** The limit of `ttl_seconds`. */
  maxTtlSeconds: number;
}

export const phoneRequestSchema = ({ defaultCountry }: RequestRules) =>
  z
    .string()
    .max(40, 'must have at most 40 characters')
    .transform((text, context) => {
      const phone = normalizePhone(text, defaultCountry);
      if (phone) return phone;
      context.issues.push({
        code: 'custom',
        message: 'must be a phone number such as +573001234567',
        input: text,
      });
      return z.NEVER;
    })
    .meta({
      description: `The customer's phone: an E.164 number, or a national mobile number of ${defaultCountry}`,
      example: '+573001234567',
    });

/** Its length counts once characters are replaced and removed: … becomes three, and U+200B none. The other limit is one of work. */
const plainMessageSchema = textSchema(16_000)
  .meta({
    description: 'The text of the SMS; at most 1600 characters as it is sent',
    example: 'Pago recibido',
  })
  .transform(transliterate)
  .pipe(messageSchema);

/** Undefined for an absent one, which has a sentence already. */
const amountTypeError = ({ input }: { input?: unknown }) =>
  input === undefined ? undefined : 'must be a number or a decimal string';

const amountSchema = z.object({ amount: z.string() });

/** In a currency that is none, an amount can be wrong for all of them. */
function errorOfAmount(amount: string, currency: string): string | undefined {
  if (!currencyCodes.includes(currency)) return amountError(amount);
  const minor = parseAmount(amount, currency);
  return typeof minor === 'string' ? minor : undefined;
}

/**
 * The body of a request that was taken once, and is refused since a currency was withdrawn, or `SMS_MAX_SEGMENTS` or
 * `NOTIFICATION_TTL_MS` was lowered: its Idempotency-Key may have an answer.
 */
export const formerPaymentRequestSchema = (rules: RequestRules) =>
  paymentRequestSchema(
    { ...rules, maxSegments: Number.POSITIVE_INFINITY, maxTtlSeconds: Number.MAX_SAFE_INTEGER },
    [...decimalsOf.keys()],
  );

/** The body of POST /payments. `amount` is the text of the request (`parseWithAmountAsText`). */
export const paymentRequestSchema = (rules: RequestRules, currencies: readonly string[] = currencyCodes) =>
  z
    .strictObject({
      amount: z.string({ error: amountTypeError }).meta({
        type: ['number', 'string'],
        description:
          'A positive decimal number, as a JSON number or a string, with at most as many decimals as the currency has',
        example: 100.5,
      }),
      customer_id: customerIdSchema,
      message: (rules.transliterate ? plainMessageSchema : messageSchema)
        .refine((text) => measureText(text).segments <= rules.maxSegments, {
          error: `must take at most ${rules.maxSegments} SMS`,
        })
        .optional(),
      currency: z.enum(currencies, { error: ({ input }) => currencyError(input) }).default('COP'),
      phone: phoneRequestSchema(rules).optional(),
      reference: referenceSchema.optional(),
      metadata: metadataSchema.optional(),
      ttl_seconds: z
        .int('must be a whole number of seconds')
        .min(1, 'must be at least 1')
        .max(rules.maxTtlSeconds, `must be at most ${rules.maxTtlSeconds}`)
        .optional()
        .meta({
          description:
            'How long after the payment the SMS is worth sending, in seconds: then its notification fails, and no provider delivers it any more. Without it the operator decides',
          example: 900,
        }),
    })
    // The transformation reads the amount only if all else is right, and then this has nothing to do.
    .superRefine(
      ({ amount, currency }, { issues }) => {
        const message = errorOfAmount(amount, currency);
        if (message) issues.push({ code: 'custom', path: ['amount'], message, input: amount });
      },
      { when: ({ value, issues }) => issues.length > 0 && amountSchema.safeParse(value).success },
    )
    .transform(({ amount, message, phone, reference, metadata, ...request }, context) => {
      const minor = parseAmount(amount, request.currency);
      if (typeof minor === 'string') {
        context.issues.push({ code: 'custom', path: ['amount'], message: minor, input: amount });
        return z.NEVER;
      }
      return {
        ...request,
        amount_minor: minor,
        message: message ?? null,
        phone: phone ?? null,
        reference: reference ?? null,
        metadata: metadata ?? null,
      };
    })
    .meta({ id: 'PaymentRequest' });

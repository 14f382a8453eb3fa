import { merchantIdSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';

/** What a merchant attaches to a payment, to find it by and to find it again in its own system. */

const maxEntries = 20;
/** In bytes of UTF-8, names and values together. */
const maxBytes = 2048;

/** Neither control nor invisible characters: two that differ would look the same. PostgreSQL stores no NUL and no half of a pair. */
const isVisible = /^[^\p{Cc}\p{Cf}\p{Cs}]*$/u;
/** A value is a text: it may have lines. */
const isText = /^(?:[^\p{Cc}\p{Cs}]|[\n\r\t])*$/u;

export const referenceSchema = merchantIdSchema.meta({
  description:
    "The merchant's own id of what is paid, such as an order; several payments may have the same. No personal data: an erasure leaves it",
  example: 'order-1042',
});

/** Zod would leave it out without a word. */
function refuseProto(metadata: unknown, { issues }: z.core.ParsePayload): unknown {
  if (typeof metadata === 'object' && metadata !== null && Object.hasOwn(metadata, '__proto__'))
    issues.push({ code: 'custom', path: ['__proto__'], message: 'must have another name', input: metadata });
  return metadata;
}

const namesAndTexts = z
  .record(
    z
      .string()
      .min(1, 'must not be empty')
      .regex(isVisible, 'must not contain control or invisible characters'),
    z.string('must be a string').regex(isText, 'must not contain control characters'),
  )
  .refine((metadata) => Object.keys(metadata).length <= maxEntries, `must have at most ${maxEntries} entries`)
  .refine(
    (metadata) => Buffer.byteLength(Object.entries(metadata).flat().join('')) <= maxBytes,
    `must have at most ${maxBytes} bytes in its names and values together`,
  );

export const metadataSchema = z.preprocess(refuseProto, namesAndTexts).meta({
  description: `What else the merchant wants to find with the payment: at most ${maxEntries} strings by name, ${maxBytes} bytes in all`,
  example: { shop: 'Chapinero' },
});

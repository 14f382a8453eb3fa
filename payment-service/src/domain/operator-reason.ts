import { type Country, hasPhone } from 'service-kit/contract/phone.ts';
import { z } from 'zod';

/**
 * Why an operator does something. It is logged and kept, so that it must contain no phone.
 */
export const operatorReasonSchema = (defaultCountry: Country) =>
  z
    .string()
    .trim()
    .min(1, 'must not be blank')
    .max(200, 'must have at most 200 characters')
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}]*$/u, 'must not contain control or invisible characters')
    .refine((reason) => !hasPhone(reason, defaultCountry), 'must not contain a phone, because it is logged')
    .meta({
      description: 'Why it is done. It is recorded and logged: no personal data',
      example: 'the customer has a new number',
    });

/** The body of a request that needs none: the reason alone. */
export const reasonBodySchema = (defaultCountry: Country) =>
  z.strictObject({ reason: operatorReasonSchema(defaultCountry).optional() }).nullish();

import { z } from 'zod';

/** The `limit` of a list. */
export const pageLimitSchema = z
  .string()
  .regex(/^([1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
  .transform(Number)
  .default(10)
  .meta({ type: 'integer', minimum: 1, maximum: 100 });

import { z } from 'zod';

export function limitSchema({ max, byDefault }: { max: number; byDefault: number }) {
  const message = `must be a whole number from 1 to ${max}`;
  return z
    .string()
    .regex(/^[1-9]\d*$/, message)
    .transform(Number)
    .refine((limit) => limit <= max, message)
    .default(byDefault)
    .meta({
      type: 'integer',
      minimum: 1,
      maximum: max,
      description: `How many a page has at most; ${byDefault} without it`,
    });
}

export const defaultPageLimit = 10;

/** The `limit` of a list. */
export const pageLimitSchema = limitSchema({ max: 100, byDefault: defaultPageLimit });

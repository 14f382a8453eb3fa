import { z } from 'zod';

/** The years that both databases know, and that are written with four digits. */
export const latestTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A time in a request, in ms since the epoch. */
export const requestTimeSchema = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00-05:00 (RFC 3339)' })
  .transform((text) => Date.parse(text))
  .refine((ms) => ms >= 0 && ms <= latestTime, 'must be between the years 1970 and 9999');

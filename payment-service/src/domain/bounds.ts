import type { Payment } from './payment.ts';

/** The reasons of a notification that waits for a bound on what a mistake can cost, though a provider is available. */
export const bounds = ['country_not_allowed', 'daily_limit', 'recipient_limit'] as const;
export type Bound = (typeof bounds)[number];

const names = new Set<string | null>(bounds);
export const waitsForBound = ({ notification_status, reason }: Payment): boolean =>
  notification_status === 'pending' && names.has(reason);

export const dayMs = 86_400_000;
export const hourMs = 3_600_000;

/** The UTC day of a time (ms since the epoch), such as 2026-03-01. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The UTC hour of a time (ms since the epoch), such as 2026-03-01T12. */
export const hourOf = (ms: number): string => new Date(ms).toISOString().slice(0, 13);

/** The time until a UTC day or hour ends, in ms. */
export const untilTurn = (ms: number, periodMs: number): number => periodMs - (ms % periodMs);

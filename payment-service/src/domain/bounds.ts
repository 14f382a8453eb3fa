import type { Payment } from './payment.ts';

/** The reasons of a notification that is held by a bound on what a mistake can cost, though a provider is available. */
export const bounds = ['country_not_allowed', 'daily_limit', 'recipient_limit'] as const;

/** What has to hold before a live provider gets an SMS; `phone_unknown` until the customer has a phone. */
const preconditions = [...bounds, 'phone_unknown'] as const;
export type Precondition = (typeof preconditions)[number];

/** The reasons of a notification that is held. */
export const heldReasons = [...preconditions, 'unknown_outcome'] as const;

const names = new Set<string | null>(preconditions);
export const waitsForPrecondition = ({ notification_status, reason }: Payment): boolean =>
  notification_status === 'held' && names.has(reason);

export const dayMs = 86_400_000;
export const hourMs = 3_600_000;

/** The UTC day of a time (ms since the epoch), such as 2026-03-01. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The UTC hour of a time (ms since the epoch), such as 2026-03-01T12. */
export const hourOf = (ms: number): string => new Date(ms).toISOString().slice(0, 13);

/** The time until a UTC day or hour ends, in ms. */
export const untilTurn = (ms: number, periodMs: number): number => periodMs - (ms % periodMs);

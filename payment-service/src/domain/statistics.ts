import type { Provider } from 'service-kit/contract/notification.ts';
import { isDelivered } from './deliveries.ts';
import type { Attempt, Payment } from './payment.ts';

/** What became of SMS, added up. It has no ids, so that sums of several processes and hours can be merged. */
export interface Sums {
  /** SMS that the provider accepted. */
  sent: number;
  /** The parts that their texts took. */
  segments: number;
  delivered: number;
  /** Notifications that failed, by reason. */
  failed: Map<string, number>;
  /** Times from a payment to the acceptance of its SMS, by bucket. */
  accepted: Map<number, number>;
  /** Times from a payment to the receipt of its delivery, by bucket. */
  delivery: Map<number, number>;
}

/** Sums as they are stored, in JSON. */
export interface StoredSums {
  sent: number;
  segments: number;
  delivered: number;
  failed: [reason: string, count: number][];
  accepted: [bucket: number, count: number][];
  delivery: [bucket: number, count: number][];
}

export const emptySums = (): Sums => ({
  sent: 0,
  segments: 0,
  delivered: 0,
  failed: new Map(),
  accepted: new Map(),
  delivery: new Map(),
});

export const storedSums = ({ failed, accepted, delivery, ...counts }: Sums): StoredSums => ({
  ...counts,
  failed: [...failed],
  accepted: [...accepted],
  delivery: [...delivery],
});

export function mergeSums(into: Sums, stored: StoredSums): void {
  into.sent += stored.sent;
  into.segments += stored.segments;
  into.delivered += stored.delivered;
  for (const [reason, count] of stored.failed) add(into.failed, reason, count);
  for (const [bucket, count] of stored.accepted) add(into.accepted, bucket, count);
  for (const [bucket, count] of stored.delivery) add(into.delivery, bucket, count);
}

function add<Key>(counts: Map<Key, number>, key: Key, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

/** The sums of a provider; '' is that of a notification which failed without one. */
export type SumsOf = (provider: Provider | '') => Sums;

/** A provider may invent reasons: more than these are added up as `other`. */
const maxReasons = 100;

/**
 * Adds a change of a payment to the sums of the providers that it is about. What a retry or a resend by hand does is counted, but not timed: the wait for the person would hide the providers.
 *
 * @param now in ms since the epoch
 */
export function addChange(sumsOf: SumsOf, payment: Payment, before: Payment | undefined, now: number): void {
  for (const [index, attempt] of payment.attempts.entries()) {
    const was = before?.attempts[index];
    if (attempt !== was) addAttempt(sumsOf, { attempt, was, payment, before, now });
  }
  if (payment.notification_status === 'failed' && before?.notification_status !== 'failed')
    addFailure(sumsOf(failedBy(payment)).failed, payment.reason ?? 'unspecified');
}

interface ChangedAttempt {
  attempt: Attempt;
  was: Attempt | undefined;
  payment: Payment;
  before: Payment | undefined;
  now: number;
}

function addAttempt(sumsOf: SumsOf, { attempt, was, payment, before, now }: ChangedAttempt): void {
  const isTimed = !wasActedOn(payment);
  if (attempt.outcome === 'accepted' && was?.outcome !== 'accepted') {
    const sums = sumsOf(attempt.provider);
    sums.sent += 1;
    sums.segments += payment.segments;
    if (isTimed && !before?.notification_service) add(sums.accepted, bucketOf(ageOf(payment, now)), 1);
  }
  if (isDelivered(attempt) && !(was && isDelivered(was))) {
    const sums = sumsOf(attempt.provider);
    sums.delivered += 1;
    if (isTimed && !before?.attempts.some(isDelivered)) add(sums.delivery, bucketOf(ageOf(payment, now)), 1);
  }
}

/** An earlier release recorded no actions; a notification that had no attempt when it was reopened has `reopened` 0. */
const wasActedOn = ({ reopened, actions }: Payment) => reopened > 0 || actions.length > 0;

function addFailure(failed: Map<string, number>, reason: string): void {
  add(failed, failed.has(reason) || failed.size < maxReasons ? reason : 'other', 1);
}

/** The provider whose answer or receipt has the reason of the failure; '' without one, as for `expired`. */
const failedBy = ({ attempts, reason }: Payment): Provider | '' =>
  attempts.findLast(
    (attempt) =>
      attempt.reason === reason || attempt.deliveries.some((delivery) => delivery.reason === reason),
  )?.provider ?? '';

/** In ms; 0 by a clock that was set back. */
const ageOf = ({ created_at }: Payment, now: number) => Math.max(0, now - Date.parse(created_at));

/**
 * A bucket is 5% wide, and its value is its geometric middle, so that a percentile is off by at most 2.5% and a millisecond.
 */
const width = 1.05;
const logOfWidth = Math.log(width);

export const bucketOf = (ms: number) => Math.floor(Math.log(ms + 1) / logOfWidth);
const middleOf = (bucket: number) => Math.round(width ** (bucket + 0.5) - 1);

/** In ms; null without a value. */
export function percentile(counts: Map<number, number>, share: number): number | null {
  const total = counts.values().reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of [...counts].toSorted(([one], [other]) => one - other)) {
    seen += count;
    if (seen >= share * total) return middleOf(bucket);
  }
  return null;
}

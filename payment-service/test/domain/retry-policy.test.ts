import type { Outcome } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import {
  dueAt,
  expire,
  hold,
  isExpired,
  postpone,
  type RetryPolicy,
  scheduleRetry,
  secondsLeft,
} from '../../src/domain/retry-policy.ts';

const noIds = { traceparent: null, request_id: null };

const now = Date.parse('2026-03-01T12:00:00.000Z');
const ttlMs = 86_400_000;
const policy: RetryPolicy = {
  baseMs: 5000,
  maxMs: 900_000,
  ttlMs,
  unknownOutcome: 'resend',
  patienceMs: 15_000,
  undelivered: 'resend',
  receiptTimeoutMs: 600_000,
};
/** The largest value of Math.random. */
const almostOne = 1 - 2 ** -53;

beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const fresh = () =>
  newPayment(
    { amount_minor: 1, currency: 'COP', customer_id: '1', phone: null, message: null },
    ttlMs,
    noIds,
  );
const after = (outcome: Outcome) => endAttempt(startAttempt(fresh(), 'Aldeamo'), outcome, 1);
const refused = () => after({ outcome: 'not_sent', reason: 'connection_refused' });
const iso = (ms: number) => new Date(ms).toISOString();

describe('scheduleRetry', () => {
  const waitOf = (retries: number, random: number, availableInMs = 0) => {
    const { next_attempt_at } = scheduleRetry({ ...refused(), retries }, policy, availableInMs, () => random);
    return Date.parse(next_attempt_at ?? '') - now;
  };

  // Full jitter: the wait is anything from 0 to a bound, which doubles up to the cap.
  test.each([
    { retries: 0, bound: 5000 },
    { retries: 1, bound: 10_000 },
    { retries: 2, bound: 20_000 },
    { retries: 3, bound: 40_000 },
    { retries: 7, bound: 640_000 },
    { retries: 8, bound: 900_000 },
    { retries: 9, bound: 900_000 },
    { retries: 100, bound: 900_000 },
    { retries: 5000, bound: 900_000 }, // 2 ** 5000 is Infinity
  ])('after $retries retries, schedules the next attempt within $bound ms', ({ retries, bound }) => {
    expect(waitOf(retries, 0)).toBe(0);
    expect(waitOf(retries, 0.5)).toBe(bound / 2);
    expect(waitOf(retries, almostOne)).toBeLessThanOrEqual(bound);
    expect(waitOf(retries, almostOne)).toBeGreaterThanOrEqual(bound - 1);
  });

  test.each<[what: string, availableInMs: number, random: number, waitMs: number]>([
    ['a provider available sooner, schedules the attempt after the wait', 1000, 0.5, 2500],
    ['a provider available now, schedules the attempt after the wait', 0, 0.5, 2500],
    ['a provider available after the wait, schedules the attempt for that time', 60_000, 0.5, 60_000],
    [
      'a provider available after the longest wait, schedules the attempt after that wait',
      3_600_000,
      0.5,
      900_000,
    ],
    ['a random number of 0, schedules the attempt at once', 0, 0, 0],
  ])('given %s', (_what, availableInMs, random, waitMs) => {
    expect(waitOf(0, random, availableInMs)).toBe(waitMs);
  });

  test('counts a retry, and changes nothing else', () => {
    const payment = { ...refused(), retries: 3 };
    const scheduled = scheduleRetry(payment, policy, 0, () => 0.5);
    expect(scheduled).toEqual({
      ...payment,
      retries: 4,
      next_attempt_at: iso(now + 20_000),
    });
  });

  test('given no source of random numbers, uses Math.random', () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.25);
    expect(scheduleRetry(refused(), policy, 0).next_attempt_at).toBe(iso(now + 1250));
    expect(random).toHaveBeenCalledTimes(1);
  });

  test.each<[Outcome]>([
    [{ outcome: 'accepted', message_id: 'AL1' }],
    [{ outcome: 'rejected', reason: 'opted_out' }],
  ])('given %j, schedules no attempt', (outcome) => {
    const ended = after(outcome);
    expect(scheduleRetry(ended, policy, 0)).toBe(ended);
  });

  test.each<[Outcome]>([
    [{ outcome: 'not_sent', reason: 'down' }],
    [{ outcome: 'unknown', reason: 'deadline_passed' }],
  ])('given %j, schedules an attempt', (outcome) => {
    expect(scheduleRetry(after(outcome), policy, 0).next_attempt_at).not.toBeNull();
  });
});

test.each([
  [900_000, 7, 7],
  [900_000, 900_000, 900_000],
  [900_000, 900_001, 900_000],
  [1, 60_000, 1000], // not as often as the outbox claims
])('postpone, given a longest wait of %i ms and %i ms, sets the next attempt in %i ms, and counts no retry', (maxMs, waitMs, inMs) => {
  const payment = { ...refused(), retries: 3 };
  expect(postpone(payment, { maxMs }, waitMs)).toEqual({ ...payment, next_attempt_at: iso(now + inMs) });
});

test('expire fails the notification, and records why', () => {
  const payment = scheduleRetry(refused(), policy, 0);
  expect(expire(payment)).toEqual({
    ...payment,
    notification_status: 'failed',
    reason: 'expired',
    next_attempt_at: null,
  });
});

test.each([
  [-1, false],
  [0, true],
  [1, true],
])('%i ms after the time to live, isExpired returns %s', (ms, expired) => {
  const payment = fresh();
  expect(payment.expires_at).toBe(iso(now + ttlMs));
  vi.setSystemTime(now + ttlMs + ms);
  expect(isExpired(payment)).toBe(expired);
});

describe('secondsLeft', () => {
  const minute = 60_000;
  test.each([
    [86_400_000, 0, 86_400],
    [1500, 0, 2],
    [1, 0, 1],
    [0, 0, 1],
    [-minute, 0, 1],
    // A clock that is ahead makes a notification look expired that is sent all the same.
    [-60 * minute, 61 * minute, 60],
    [minute, -60 * minute, 60],
  ])('of a notification that expires in %i ms, by a clock that is %i ms ahead, is %i', (expiresInMs, aheadMs, seconds) => {
    const expires_at = new Date(now + expiresInMs).toISOString();
    expect(secondsLeft({ ...fresh(), expires_at }, aheadMs)).toBe(seconds);
  });
});

describe('hold', () => {
  test('holds the notification for a person, and records why', () => {
    const payment = scheduleRetry(after({ outcome: 'unknown', reason: 'interrupted' }), policy, 0);
    const held = hold(payment);
    expect(held).toEqual({
      ...payment,
      updated_at: expect.any(String),
      notification_status: 'held',
      reason: 'unknown_outcome',
      next_attempt_at: null,
    });
    expect(held.notification_status).toBe('held');
    expect(payment.notification_status).not.toBe('held');
  });

  test.each<[what: string, payment: () => Payment]>([
    ['scheduled', () => scheduleRetry(refused(), policy, 0)],
    ['running', () => startAttempt(fresh(), 'Aldeamo')],
    ['running again', () => startAttempt(hold(refused()), 'Aldeamo')],
    ['sent', () => after({ outcome: 'accepted', message_id: 'AL1' })],
    ['rejected', () => after({ outcome: 'rejected', reason: 'opted_out' })],
    ['expired', () => expire(hold(refused()))],
    ['delivered', () => ({ ...hold(refused()), notification_status: 'delivered' })],
  ])('given a notification that is %s, it is held no more', (_what, payment) => {
    expect(payment().notification_status).not.toBe('held');
  });
});

describe('dueAt', () => {
  const leaseMs = 15_000;
  const scheduled = (ms: number) => postpone(refused(), { maxMs: 10 * ttlMs }, ms);

  test.each<[what: string, payment: () => Payment, due: number | null]>([
    ['running, returns the end of the lease', () => startAttempt(fresh(), 'Aldeamo'), now + leaseMs],
    [
      'running after other attempts, returns the end of the lease',
      () => startAttempt(scheduled(5), 'Twilio'),
      now + leaseMs,
    ],
    [
      'running and expires before the lease, returns the end of the lease',
      () => startAttempt({ ...fresh(), expires_at: iso(now) }, 'Aldeamo'),
      now + leaseMs,
    ],
    ['scheduled, returns that time', () => scheduled(5000), now + 5000],
    ['overdue, returns the time that has passed', () => scheduled(-5000), now - 5000],
    ['scheduled for later than it expires, returns its expiry', () => scheduled(2 * ttlMs), now + ttlMs],
    ['held, returns its expiry', () => hold(refused()), now + ttlMs],
    ['sent, returns null', () => after({ outcome: 'accepted', message_id: 'AL1' }), null],
    ['rejected, returns null', () => after({ outcome: 'rejected', reason: 'opted_out' }), null],
    ['expired, returns null', () => expire(scheduled(5000)), null],
    ['delivered, returns null', () => ({ ...scheduled(5000), notification_status: 'delivered' }), null],
  ])('given a notification that is %s', (_what, payment, due) => {
    expect(dueAt(payment(), leaseMs)).toBe(due);
  });
});

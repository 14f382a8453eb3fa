import { describe, expect, test } from 'vitest';
import type { ClaimedWebhook } from '../../src/store/events.ts';
import { settlementOf } from '../../src/webhooks/schedule.ts';

const claimed = (tries: number): ClaimedWebhook => ({
  event_id: 'evt_1',
  payment_id: 'pmt_1',
  type: 'payment.notification.sent',
  data: '{}',
  created_at: '2026-03-01T12:00:00.000Z',
  tries,
});
const failed = { result: 'failed', reason: 'http_500' } as const;
const waitOf = (tries: number, random: number, ended = {}) => {
  const settlement = settlementOf(claimed(tries), { ...failed, ...ended }, () => random);
  return settlement.status === 'pending' ? settlement.wait_ms : settlement.status;
};
const [second, minute, hour] = [1000, 60_000, 3_600_000];

describe('a try of a webhook delivery', () => {
  test('that fails is followed by the next one by the schedule of Svix, and the eighth is the last', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 7].map((tries) => waitOf(tries, 0.5));
    const schedule = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour];
    expect(waits).toEqual([...schedule, 'dead']);
  });

  test('that fails has the next one wait up to a tenth less or more', () => {
    expect([waitOf(1, 0), waitOf(1, 1)]).toEqual([270 * second, 330 * second]);
  });

  test.each([
    ['shorter than the schedule, changes nothing', 4 * second, 4500],
    ['longer, is heeded to the millisecond', 40 * minute, 40 * minute],
  ])('that fails with a Retry-After, %s', (_what, retryAfterMs, wait) => {
    expect(waitOf(0, 0, { retryAfterMs })).toBe(wait);
  });

  test('that is taken, the last of all or not, is a delivery', () => {
    expect([0, 7].map((tries) => settlementOf(claimed(tries), { result: 'taken' }).status)).toEqual([
      'delivered',
      'delivered',
    ]);
  });

  test('that gets a 410 does not count', () => {
    expect(settlementOf(claimed(7), { result: 'gone' })).toEqual({
      event_id: 'evt_1',
      tries: 7,
      status: 'released',
    });
  });
});

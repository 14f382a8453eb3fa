import type { Outcome } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { createRecentAttempts } from '../../src/live/recent-attempts.ts';

const start = Date.parse('2026-01-01T00:00:00.000Z');
const accepted: Outcome = { outcome: 'accepted', message_id: '1' };
const unknown: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const rejected: Outcome = { outcome: 'rejected', reason: 'opted_out' };

function setUp() {
  let now = start;
  const recent = createRecentAttempts(() => now);
  return { recent, at: (ms: number) => (now = start + ms) };
}

test('recent attempts are counted in buckets of 5 s, without empty buckets', () => {
  const { recent, at } = setUp();
  recent.attemptEnded('Aldeamo', accepted, 100);
  at(4999);
  recent.attemptEnded('Aldeamo', unknown, 201);
  recent.attemptEnded('Aldeamo', rejected, 50);
  at(20_000);
  recent.attemptEnded('Aldeamo', accepted, 30);
  expect(recent.series()).toEqual({
    Aldeamo: [
      { from: '2026-01-01T00:00:00.000Z', attempts: 3, accepted: 1, failed: 1, mean_ms: 117, max_ms: 201 },
      { from: '2026-01-01T00:00:20.000Z', attempts: 1, accepted: 1, failed: 0, mean_ms: 30, max_ms: 30 },
    ],
    Twilio: [],
  });
});

test('recent attempts expire after five minutes, with or without newer ones', () => {
  const { recent, at } = setUp();
  recent.attemptEnded('Twilio', accepted, 1);
  at(299_999);
  expect(recent.series().Twilio).toHaveLength(1);
  at(300_000);
  expect(recent.series().Twilio).toEqual([]);
  recent.attemptEnded('Twilio', accepted, 1);
  expect(recent.series().Twilio).toMatchObject([{ from: '2026-01-01T00:05:00.000Z', attempts: 1 }]);
});

test('recent attempts, given a wall clock set back by an hour, are those since, also when it comes to that hour again', () => {
  const { recent, at } = setUp();
  at(3_600_000);
  recent.attemptEnded('Aldeamo', accepted, 1);
  recent.attemptEnded('Twilio', accepted, 1);
  at(0);
  expect(recent.series()).toEqual({ Aldeamo: [], Twilio: [] });
  recent.attemptEnded('Aldeamo', accepted, 1);
  expect(recent.series().Aldeamo).toMatchObject([{ from: '2026-01-01T00:00:00.000Z', attempts: 1 }]);
  at(3_600_000);
  expect(recent.series()).toEqual({ Aldeamo: [], Twilio: [] });
});

test('recent attempts, given a day of traffic, use no more than 60 buckets, in order', () => {
  const { recent, at } = setUp();
  for (let ms = 0; ms < 86_400_000; ms += 4000) {
    at(ms);
    recent.attemptEnded('Aldeamo', accepted, 1);
  }
  const starts = recent.series().Aldeamo.map(({ from }) => from);
  expect(starts).toHaveLength(60);
  expect(starts).toEqual(starts.toSorted());
});

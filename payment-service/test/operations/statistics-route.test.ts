import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { bucketOf, type StoredSums } from '../../src/domain/statistics.ts';
import { readStatistics } from '../../src/operations/read-statistics.ts';
import { body, build, post } from '../fixture.ts';

const hour = 3_600_000;
const now = Date.UTC(2026, 0, 31, 17, 30);
const iso = (ms: number) => new Date(ms).toISOString();
const hoursAgo = (hours: number) => iso(Date.UTC(2026, 0, 31, 17) - hours * hour);

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now }));
afterEach(() => void vi.useRealTimers());

const sums = (sent: number, fields: Partial<StoredSums> = {}): StoredSums => ({
  ...{ sent, segments: sent, delivered: 0, failed: [], accepted: [], delivery: [] },
  ...fields,
});
const nothing = { sent: 0, segments: 0, delivered: 0, failed: [], accepted_ms: null, delivered_ms: null };

async function buildKept() {
  const built = await build({ keepsRecords: true });
  const get = async (query: Record<string, string> = {}) =>
    (await built.app.inject({ url: '/statistics', query })).json();
  return { ...built, get };
}

describe('GET /statistics', () => {
  test('merges what the processes have added up, by hour and provider, oldest first', async () => {
    const { store, get } = await buildKept();
    const both = sums(2, {
      ...{ delivered: 1, failed: [['blocked', 1]], accepted: [[bucketOf(100), 2]] },
      delivery: [[bucketOf(5000), 1]],
    });
    const other = sums(18, { failed: [['phone_invalid', 3]], accepted: [[bucketOf(1000), 18]] });
    await store.putSums([
      { hour: hoursAgo(0), process: 'one', provider: 'Twilio', sums: sums(1) },
      { hour: hoursAgo(1), process: 'one', provider: '', sums: sums(0, { failed: [['expired', 1]] }) },
      { hour: hoursAgo(1), process: 'one', provider: 'Aldeamo', sums: both },
      { hour: hoursAgo(1), process: 'two', provider: 'Aldeamo', sums: other },
    ]);
    expect(await get()).toEqual({
      ...{ by: 'hour', from: hoursAgo(24), to: hoursAgo(-1), complete_to: iso(now - 10_000) },
      data: [
        {
          ...{ at: hoursAgo(1), provider: 'Aldeamo', sent: 20, segments: 20, delivered: 1 },
          failed: [
            { reason: 'phone_invalid', count: 3 },
            { reason: 'blocked', count: 1 },
          ],
          accepted_ms: { p50: expect.closeTo(1000, -2), p95: expect.closeTo(1000, -2) },
          delivered_ms: { p50: expect.closeTo(5000, -3), p95: expect.closeTo(5000, -3) },
        },
        { ...nothing, at: hoursAgo(1), provider: null, failed: [{ reason: 'expired', count: 1 }] },
        { ...nothing, at: hoursAgo(0), provider: 'Twilio', sent: 1, segments: 1 },
      ],
    });
  });

  test('adds up the hours of a UTC day', async () => {
    const { store, get } = await buildKept();
    await store.putSums(
      [0, 1, 17, 18, 30].map((hours) => ({
        ...{ hour: hoursAgo(hours), process: 'one', provider: 'Aldeamo', sums: sums(1) },
      })),
    );
    const days = await get({ by: 'day', from: '2026-01-30T23:00:00Z', to: '2026-01-31T01:00:00Z' });
    const [yesterday, today, tomorrow] = ['2026-01-30', '2026-01-31', '2026-02-01'];
    expect(days).toMatchObject({
      ...{ from: `${yesterday}T00:00:00.000Z`, to: `${tomorrow}T00:00:00.000Z` },
      data: [
        { at: `${yesterday}T00:00:00.000Z`, sent: 2 },
        { at: `${today}T00:00:00.000Z`, sent: 3 },
      ],
    });
    expect(days.data).toHaveLength(2);
  });

  test('is about whole hours: from that of the beginning to the last before the end', async () => {
    const { store, get } = await buildKept();
    await store.putSums(
      [1, 2, 3, 4].map((hours) => ({
        ...{ hour: hoursAgo(hours), process: 'one', provider: 'Aldeamo', sums: sums(hours) },
      })),
    );
    const { data, complete_to } = await get({
      from: '2026-01-31T09:59:00-05:00',
      to: '2026-01-31T16:00:00Z',
    });
    expect(data.map(({ sent }: { sent: number }) => sent)).toEqual([3, 2]);
    expect(complete_to).toBe('2026-01-31T16:00:00.000Z');
  });

  test.each([
    [{ by: 'week' }, 'by', expect.any(String)],
    [{ from: 'yesterday' }, 'from', expect.any(String)],
    [{ from: '2026-01-31T17:00:00Z', to: '2026-01-31T17:00:00Z' }, 'from', 'must be earlier than `to`'],
    [{ from: '2026-02-01T00:00:00Z' }, 'from', 'must be earlier than `to`'],
    [{ from: '2025-12-31T17:00:00Z' }, 'from', 'must be at most 31 days before `to`, by hour'],
    [{ from: '2024-12-01T00:00:00Z', by: 'day' }, 'from', 'must be at most 400 days before `to`, by day'],
  ])('given %j, is a 400', async (query, path, message) => {
    const { get } = await buildKept();
    expect(await get(query)).toMatchObject({ status: 400, errors: [{ path, message }] });
  });

  test.each([
    'hour',
    'day',
  ])('given the last times that have four digits in their year, by %s, finds nothing', async (by) => {
    const { get } = await buildKept();
    const to = '9999-12-31T23:59:59.999Z';
    expect(await get({ by, from: '9999-12-31T23:30:00Z', to })).toMatchObject({ to, data: [] });
  });

  test('has what a payment has become, ten seconds later at most', async () => {
    const { app, store } = await buildKept();
    await app.inject(post(body));
    const put = vi.spyOn(store, 'putSums');
    await app.close();
    expect(put.mock.lastCall?.[0]).toMatchObject([
      { hour: hoursAgo(0), provider: 'Aldeamo', sums: { sent: 1, segments: 1, accepted: [[0, 1]] } },
    ]);
  });

  test('given that none are kept, is a 409 that names the setting, and nothing is counted', async () => {
    const { app, store } = await build();
    const put = vi.spyOn(store, 'putSums');
    await app.inject(post(body));
    expect((await app.inject('/statistics')).json()).toMatchObject({
      status: 409,
      type: '/problems/statistics-off',
      detail: 'No statistics are kept. STATISTICS=true turns them on.',
    });
    await app.close();
    expect(put).not.toHaveBeenCalled();
  });
});

test('a read of many days leaves the event loop a turn for each, and ends with its request', async () => {
  const range = { from: now - 400 * 24 * hour, to: now, by: 'day' } as const;
  const readSums = vi.fn(async () => []);
  let turns = 0;
  const count = () => {
    turns += 1;
    if (turns < 1000) setImmediate(count);
  };
  setImmediate(count);
  await readStatistics({ readSums }, range, new AbortController().signal);
  expect(turns).toBeGreaterThanOrEqual(400);
  expect(readSums).toHaveBeenCalledTimes(400);
  await readStatistics({ readSums }, range, AbortSignal.abort());
  expect(readSums).toHaveBeenCalledTimes(400);
});

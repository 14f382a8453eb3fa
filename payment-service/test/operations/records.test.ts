import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newHistoryEntry } from '../../src/domain/history.ts';
import { emptySums, storedSums } from '../../src/domain/statistics.ts';
import { build, day } from '../fixture.ts';

const everything = { limit: 2000, from: '', before: 'hst_~' };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

async function passMinute(): Promise<void> {
  await vi.advanceTimersByTimeAsync(60_000);
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Made at another time, by the clock alone: timers and the outbox go on as they are. */
function entryOf(at: number) {
  const entry = newHistoryEntry('circuit_opened', {}, 'replica-1');
  const entry_id = `hst_${at.toString(16).padStart(12, '0')}${entry.entry_id.slice(16)}`;
  return { ...entry, entry_id, at: new Date(at).toISOString() };
}

test.each([
  ['kept for 30 days', true, 1],
  ['off', false, 0],
])('given a history that is %s, what is older is deleted within a minute, however much it is', async (_, keepsRecords, kept) => {
  const { store } = await build({ keepsRecords });
  const now = Date.now();
  await store.recordHistory(Array.from({ length: 2500 }, () => entryOf(now - 31 * day)));
  await store.recordHistory([entryOf(now - 29 * day)]);
  await passMinute();
  const { entries } = await store.readHistory(everything);
  expect(entries.filter(({ kind }) => kind !== 'started')).toHaveLength(kept);
});

test.each([
  true,
  false,
])('sums that are older than 400 days are deleted within a minute, whether more are added or not (%s)', async (keepsRecords) => {
  const { store } = await build({ keepsRecords });
  const hourOf = (days: number) => new Date(Date.now() - days * day).toISOString();
  const row = { process: 'one', provider: '', sums: storedSums(emptySums()) };
  await store.putSums([399, 401].map((days) => ({ ...row, hour: hourOf(days) })));
  await passMinute();
  expect(await store.readSums(0, Date.now())).toHaveLength(1);
});

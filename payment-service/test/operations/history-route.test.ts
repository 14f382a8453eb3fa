import { describe, expect, test } from 'vitest';
import { type HistoryEntry, historyIdsFrom, newHistoryEntry } from '../../src/domain/history.ts';
import { body, build, post, refused } from '../fixture.ts';

const start = Date.UTC(2026, 0, 31, 17);
const entryAt = (second: number, fields: Partial<HistoryEntry> = {}): HistoryEntry => ({
  ...newHistoryEntry('circuit_opened', { provider: 'Aldeamo', reason: '3 of 5 calls failed' }, 'replica-1'),
  entry_id: `${historyIdsFrom(start + second * 1000)}${'0'.repeat(20)}`,
  at: new Date(start + second * 1000).toISOString(),
  ...fields,
});

const entries = [
  entryAt(3, { provider: 'Twilio' }),
  entryAt(2, { kind: 'provider_held', by: 'ana', reason: 'planned work' }),
  entryAt(1),
];

async function buildKept() {
  const built = await build({ keepsRecords: true });
  await built.store.recordHistory(entries);
  const list = async (query: Record<string, string>) => {
    const response = await built.app.inject({ url: '/history', query });
    return { status: response.statusCode, ...response.json() };
  };
  return { ...built, list };
}

describe('GET /history', () => {
  test('has the newest entry first, page after page', async () => {
    const { list } = await buildKept();
    expect(await list({ limit: '2' })).toEqual({ status: 200, data: entries.slice(0, 2), has_more: true });
    const after = { limit: '2', starting_after: entries[1]?.entry_id ?? '' };
    expect(await list(after)).toEqual({ status: 200, data: entries.slice(2), has_more: false });
  });

  test.each<[query: Record<string, string>, found: number[]]>([
    [{ kind: 'provider_held' }, [1]],
    [{ provider: 'Aldeamo' }, [1, 2]],
    [{ kind: 'circuit_opened', provider: 'Twilio' }, [0]],
    [{ from: '2026-01-31T12:00:02-05:00' }, [0, 1]],
    [{ to: '2026-01-31T17:00:02Z' }, [2]],
    [{ from: '2026-01-31T17:00:02Z', to: '2026-01-31T17:00:03Z' }, [1]],
    [{ to: '2026-01-31T17:00:03Z', starting_after: entries[1]?.entry_id ?? '' }, [2]],
    [{ to: '2026-01-31T17:00:02Z', starting_after: entries[0]?.entry_id ?? '' }, [2]],
  ])('given %j, has those entries alone', async (query, found) => {
    const { list } = await buildKept();
    expect((await list(query)).data).toEqual(found.map((index) => entries[index]));
  });

  test('given what it does not know, names each error', async () => {
    const { list } = await buildKept();
    const wrong = {
      limit: '0',
      starting_after: 'pmt_1',
      kind: 'x',
      provider: 'x',
      from: 'x',
      to: '1969-01-01T00:00:00Z',
    };
    const { status, errors } = await list(wrong);
    expect(status).toBe(400);
    expect(errors.map(({ path }: { path: string }) => path).toSorted()).toEqual(
      Object.keys(wrong).toSorted(),
    );
  });

  test('given a range that ends before it begins, is a 400', async () => {
    const { list } = await buildKept();
    const at = '2026-01-31T17:00:00Z';
    expect(await list({ from: at, to: at })).toMatchObject({
      status: 400,
      errors: [{ path: 'from', message: 'must be earlier than `to`' }],
    });
  });

  test('has an outage of a provider, with its cause, after the app has stopped', async () => {
    const { app, store, clients } = await build({ keepsRecords: true });
    clients.Aldeamo.answer = async () => refused;
    for (const _ of [1, 2, 3]) await app.inject(post(body));
    let written: HistoryEntry[] = [];
    const { recordHistory } = store;
    store.recordHistory = async (given) => {
      written = given;
      await recordHistory(given);
    };
    await app.close();
    expect(written).toMatchObject([
      { kind: 'started', replica: 'replica-1', reason: '1.2.3' },
      {
        ...{ kind: 'circuit_opened', provider: 'Aldeamo', replica: 'replica-1', by: null },
        reason: '3 failures in a row, the last: connection_refused',
      },
    ]);
  });

  test('given that none is kept, is a 409 that names the setting', async () => {
    const { app } = await build();
    expect((await app.inject('/history')).json()).toMatchObject({
      status: 409,
      type: '/problems/history-off',
      detail: 'No history is kept. A HISTORY_RETENTION_MS above 0 turns it on.',
    });
  });
});

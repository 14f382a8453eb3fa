import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HistoryEntry } from '../../src/domain/history.ts';
import { createHistory } from '../../src/operations/history.ts';
import { createReopeningStore } from '../../src/store/reopening-store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createMemoryStore } from '../store/memory-store.ts';

const everything = { limit: 2000, from: '', before: 'hst_~' };
const second = 1000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** A history that has started, of a store which reports its failures. */
function setUp({ isKept = true } = {}) {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const history = createHistory({ isKept, replica: 'replica-1', version: '1.2.3', log });
  const memory = createMemoryStore({ leaseMs: 1000 });
  const store = createReopeningStore(() => memory, log, undefined, history.storeFailed);
  const written = async () => (await memory.readHistory(everything)).entries.toReversed();
  const running = history.start(store);
  return { history, memory, store, running, written, lines };
}

/** Lets a second pass, and the store its turns. */
async function pass(seconds = 1): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 1) {
    await vi.advanceTimersByTimeAsync(second);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

const summary = (entries: HistoryEntry[]) =>
  entries.map(({ kind, provider, reason }) =>
    [kind, provider, reason].filter((part) => part !== null).join(),
  );

describe('the history', () => {
  test('has the start with the release, and what is recorded, within a second, in one commit', async () => {
    const { history, memory, written } = setUp();
    history.record('provider_held', { provider: 'Aldeamo', by: 'ana', reason: 'planned work' });
    const commit = vi.spyOn(memory, 'recordHistory');
    expect(await written()).toEqual([]);
    await pass(2);
    const ofAll = { at: expect.any(String), entry_id: expect.stringMatching(/^hst_/), replica: 'replica-1' };
    expect(await written()).toEqual([
      { ...ofAll, kind: 'started', provider: null, by: null, reason: '1.2.3' },
      { ...ofAll, kind: 'provider_held', provider: 'Aldeamo', by: 'ana', reason: 'planned work' },
    ]);
    expect(commit).toHaveBeenCalledTimes(1);
  });

  test('has what has come before the stop', async () => {
    const { history, running, written } = setUp();
    history.record('provider_released', { provider: 'Twilio' });
    await running.stop();
    expect(summary(await written())).toEqual(['started,1.2.3', 'provider_released,Twilio']);
  });

  test('given that none is kept, records nothing', async () => {
    const { history, store, running, written } = setUp({ isKept: false });
    history.record('provider_held', { provider: 'Aldeamo' });
    await pass();
    await running.stop();
    expect(await written()).toEqual([]);
    await store.close();
  });

  test('given circuits, has each opening and closing with its cause, and neither half-open states nor failed probes', async () => {
    const { history, written } = setUp();
    const changed = history.observer.circuitChanged ?? (() => {});
    changed('Aldeamo', 'open', '3 failures in a row, the last: timeout');
    changed('Aldeamo', 'half_open', 'open for 15000 ms');
    changed('Aldeamo', 'open', 'the background check failed: http_503');
    changed('Twilio', 'open', '3 of 5 calls failed');
    changed('Aldeamo', 'half_open', 'open for 15000 ms');
    changed('Aldeamo', 'closed', 'the background check succeeded');
    changed('Aldeamo', 'open', 'account_refused: credentials');
    await pass();
    expect(summary(await written()).slice(1)).toEqual([
      'circuit_opened,Aldeamo,3 failures in a row, the last: timeout',
      'circuit_opened,Twilio,3 of 5 calls failed',
      'circuit_closed,Aldeamo,the background check succeeded',
      'circuit_opened,Aldeamo,account_refused: credentials',
    ]);
  });

  test('given accounts that are reported again and again, by two replicas in turn, has each change once', async () => {
    const { history, written } = setUp();
    const at = (minute: number) => `2026-01-31T17:0${minute}:00.000Z`;
    const report = (state: 'ok' | 'refused' | 'unknown', minute: number) =>
      history.observer.accountReported?.('Aldeamo', {
        ...{ state, since: at(minute), balance: null },
        reason: state === 'refused' ? 'credentials' : null,
      });
    report('ok', 0);
    for (const _ of [1, 2]) {
      report('refused', 1);
      report('ok', 0);
      report('unknown', 2);
    }
    report('refused', 2);
    for (const _ of [1, 2]) {
      report('ok', 3);
      report('refused', 2);
    }
    await pass();
    expect(summary(await written()).slice(1)).toEqual([
      'account_refused,Aldeamo,credentials',
      'account_accepted,Aldeamo',
    ]);
  });

  test('given an outage of the store, has its beginning and its end, and what has come meanwhile', async () => {
    const { history, memory, store, written } = setUp();
    await pass();
    memory.locked = true;
    for (const _ of [1, 2]) await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
    history.record('provider_held', { provider: 'Aldeamo' });
    await pass(3);
    memory.locked = false;
    await pass();
    const entries = await written();
    expect(summary(entries)).toEqual([
      'started,1.2.3',
      'store_down,the store does not answer',
      'provider_held,Aldeamo',
      'store_up',
    ]);
    const times = entries.map(({ at }) => Date.parse(at));
    expect(Number(times[3]) - Number(times[1])).toBe(4000);
  });

  test('given a defect of the store, has no outage', async () => {
    const { history, written } = setUp();
    history.storeFailed(new TypeError('x is undefined'));
    history.storeFailed(new StoreUnavailable('the store does not answer', { cause: new TypeError('x') }));
    await pass();
    expect(summary(await written())).toEqual(['started,1.2.3']);
  });

  test('given more entries than it holds while others are written, counts as lost what is in no commit', async () => {
    const { history, memory, written } = setUp();
    const slow = Promise.withResolvers<void>();
    const { recordHistory } = memory;
    vi.spyOn(memory, 'recordHistory').mockImplementationOnce(async (entries) => {
      await slow.promise;
      await recordHistory(entries);
    });
    await pass();
    for (let number = 0; number < 1001; number += 1)
      history.record('circuit_opened', { reason: `cause ${number}` });
    slow.resolve();
    await pass(2);
    const entries = summary(await written());
    expect(entries[0]).toBe('started,1.2.3');
    expect(entries[1]).toBe('circuit_opened,cause 1 (1 entries before it are lost)');
    expect(entries).toHaveLength(1001);
  });

  test('given more entries than it holds during an outage, loses the oldest, and says how many', async () => {
    const { history, memory, written } = setUp();
    memory.locked = true;
    for (let number = 0; number < 1100; number += 1)
      history.record('circuit_opened', { reason: `cause ${number}` });
    await pass();
    memory.locked = false;
    await pass();
    const entries = await written();
    expect(entries).toHaveLength(1000);
    // The start, the beginning and the end of the outage are entries as well.
    expect(entries[0]?.reason).toBe('cause 102 (103 entries before it are lost)');
    expect(summary(entries).slice(-2)).toEqual(['store_down,the store does not answer', 'store_up']);
  });

  test('given a stop during an outage, logs how many entries are lost', async () => {
    const { memory, running, lines } = setUp();
    memory.locked = true;
    await running.stop();
    expect(lines).toMatchObject([{ msg: 'the last entries of the history are lost', entries: 2 }]);
  });
});

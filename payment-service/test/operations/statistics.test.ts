import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import { newPayment } from '../../src/domain/payment.ts';
import { startStatistics } from '../../src/operations/statistics.ts';
import { CommitUnknown } from '../../src/store/store.ts';
import { createMemoryStore } from '../store/memory-store.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 31, 17);

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: start }));
afterEach(() => void vi.useRealTimers());

const request = { amount_minor: 100, currency: 'COP', customer_id: '123', phone: null, message: 'Pago' };

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = createMemoryStore({ leaseMs: 1000 });
  const put = vi.spyOn(store, 'putSums');
  const statistics = startStatistics(store, log);
  const send = () => {
    const payment = newPayment(request, hour, { traceparent: null, request_id: null });
    const begun = startAttempt(payment, 'Aldeamo');
    statistics.onChange(begun, undefined);
    statistics.onChange(endAttempt(begun, { outcome: 'accepted', message_id: 'sms-1' }, 10), begun);
  };
  const written = async () => {
    const rows = await store.readSums(0, start + 100 * hour);
    return rows.map(({ hour: at, provider, sums }) => [at.slice(11, 13), provider, sums.sent]);
  };
  return { statistics, store, put, send, written, lines };
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('the statistics', () => {
  test('are written every ten seconds, only the rows that have changed', async () => {
    const { put, send, written } = setUp();
    send();
    await pass(9_999);
    expect(await written()).toEqual([]);
    await pass(1);
    expect(await written()).toEqual([['17', 'Aldeamo', 1]]);
    await pass(30_000);
    expect(put).toHaveBeenCalledTimes(1);
    send();
    await pass(10_000);
    expect(await written()).toEqual([['17', 'Aldeamo', 2]]);
  });

  test('are of the hour in which something was recorded, and a new hour begins at zero', async () => {
    const { put, send, written } = setUp();
    send();
    vi.setSystemTime(start + hour);
    send();
    send();
    await pass(10_000);
    expect(await written()).toEqual([
      ['17', 'Aldeamo', 1],
      ['18', 'Aldeamo', 2],
    ]);
    send();
    await pass(10_000);
    expect(put.mock.lastCall?.[0]).toHaveLength(1);
    expect((await written()).at(-1)).toEqual(['18', 'Aldeamo', 3]);
  });

  test('given an outage of the store, are counted on and written once it is over', async () => {
    const { store, send, written, lines } = setUp();
    store.locked = true;
    send();
    await pass(10_000);
    vi.setSystemTime(start + hour);
    send();
    await pass(10_000);
    store.locked = false;
    await pass(10_000);
    expect(await written()).toEqual([
      ['17', 'Aldeamo', 1],
      ['18', 'Aldeamo', 1],
    ]);
    expect(lines).toEqual([]);
  });

  test('given a write whose commit is unknown, are the same once it is repeated', async () => {
    const { store, put, send, written } = setUp();
    put.mockImplementationOnce(async (rows) => {
      put.mockRestore();
      await store.putSums(rows);
      throw new CommitUnknown('the connection was lost');
    });
    send();
    await pass(10_000);
    expect(await written()).toEqual([['17', 'Aldeamo', 1]]);
    await pass(10_000);
    expect(await written()).toEqual([['17', 'Aldeamo', 1]]);
  });

  test('given a clock that was set back to an hour that is written, add to it', async () => {
    const { store, send } = setUp();
    send();
    vi.setSystemTime(start + hour);
    send();
    await pass(10_000);
    vi.setSystemTime(start);
    send();
    await pass(10_000);
    const rows = await store.readSums(start, start + hour);
    expect(rows.map(({ sums }) => sums.sent)).toEqual([1, 1]);
  });

  test('are written at the stop', async () => {
    const { statistics, send, written } = setUp();
    send();
    await statistics.stop();
    expect(await written()).toEqual([['17', 'Aldeamo', 1]]);
  });
});

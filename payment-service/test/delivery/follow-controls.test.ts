import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { followControls } from '../../src/delivery/follow-controls.ts';
import { createProviderHolds } from '../../src/delivery/provider-holds.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createMemoryStore } from '../store/memory-store.ts';

const log = { info() {}, debug() {}, error() {} } as unknown as FastifyBaseLogger;
const hold = (reason = 'they send twice') => ({
  since: new Date().toISOString(),
  until: null,
  by: null,
  reason,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Replicas on one store. */
function setUp() {
  const store = createMemoryStore({ leaseMs: 10_000 });
  const startReplica = (
    its: Pick<typeof store, 'readControls' | 'putHold' | 'deleteHold' | 'requestRecovery'> = store,
  ) => {
    const holds = createProviderHolds();
    const recover = vi.fn(async () => true);
    const onChange = vi.fn();
    const controls = followControls({ store: its, holds, notifier: { recover }, onChange, log });
    onTestFinished(controls.stop);
    return { holds, recover, onChange, controls };
  };
  return { store, startReplica };
}

describe('the controls', () => {
  test('are read at once, so that a hold survives a restart', async () => {
    const { store, startReplica } = setUp();
    await store.putHold('Aldeamo', hold());
    const { holds } = startReplica();
    await pass(0);
    expect(holds.of('Aldeamo')).not.toBeNull();
  });

  test('are in force here once the change resolves, and on another replica within five seconds', async () => {
    const { startReplica } = setUp();
    const [here, there] = [startReplica(), startReplica()];
    await pass(0);
    expect(await here.controls.hold('Aldeamo', hold())).toBe(true);
    expect(here.onChange).toHaveBeenCalledTimes(1);
    expect(here.holds.of('Aldeamo')).toMatchObject({ reason: 'they send twice' });
    await pass(5000);
    expect(there.holds.of('Aldeamo')).toMatchObject({ reason: 'they send twice' });
    expect(await there.controls.hold('Aldeamo', hold('still so'))).toBe(false);
    expect(await there.controls.release('Aldeamo')).toBe(true);
    expect(there.holds.of('Aldeamo')).toBeNull();
    expect(await here.controls.release('Aldeamo')).toBe(false);
    expect(here.holds.of('Aldeamo')).toBeNull();
  });

  test('given a message of another replica, are read sooner', async () => {
    const { store, startReplica } = setUp();
    const { controls, holds } = startReplica();
    await pass(0);
    await store.putHold('Twilio', hold());
    controls.readSoon();
    await pass(0);
    expect(holds.of('Twilio')).not.toBeNull();
  });

  test('given a store that is unavailable, stay, and a change rejects', async () => {
    const { store, startReplica } = setUp();
    const { controls, holds, onChange } = startReplica();
    await controls.hold('Aldeamo', hold());
    onChange.mockClear();
    await store.close();
    await pass(5000);
    expect(holds.of('Aldeamo')).not.toBeNull();
    await expect(controls.release('Aldeamo')).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(controls.read()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(onChange).not.toHaveBeenCalled();
    expect(holds.of('Aldeamo')).not.toBeNull();
  });

  test('given a store that becomes unavailable after a change was recorded, are in force here all the same', async () => {
    const { store, startReplica } = setUp();
    const readControls = vi.fn(store.readControls);
    const { controls, holds, onChange } = startReplica({ ...store, readControls });
    await pass(0);
    readControls.mockRejectedValue(new StoreUnavailable('the store does not answer'));
    const first = hold();
    expect(await controls.hold('Aldeamo', first)).toBe(true);
    expect(holds.of('Aldeamo')).toEqual(first);
    await pass(10);
    expect(await controls.hold('Aldeamo', hold('still so'))).toBe(false);
    expect(holds.of('Aldeamo')).toMatchObject({ since: first.since, reason: 'still so' });
    expect(await controls.release('Aldeamo')).toBe(true);
    expect(holds.of('Aldeamo')).toBeNull();
    expect(onChange).toHaveBeenCalledTimes(3);
  });

  test('once stopped, are read no more', async () => {
    const { store, startReplica } = setUp();
    const readControls = vi.fn(store.readControls);
    const { controls } = startReplica({ ...store, readControls });
    await pass(5000);
    expect(readControls).toHaveBeenCalledTimes(2);
    controls.stop();
    await pass(60_000);
    expect(readControls).toHaveBeenCalledTimes(2);
  });
});

describe('a recovery', () => {
  test('that is requested has each other replica check Aldeamo once', async () => {
    const { startReplica } = setUp();
    const [here, there] = [startReplica(), startReplica()];
    await pass(0);
    await here.controls.requestRecovery();
    expect(here.onChange).toHaveBeenCalledTimes(1);
    await pass(20_000);
    expect(there.recover).toHaveBeenCalledTimes(1);
    expect(here.recover).not.toHaveBeenCalled();
    await there.controls.requestRecovery();
    await pass(20_000);
    expect(there.recover).toHaveBeenCalledTimes(1);
    expect(here.recover).toHaveBeenCalledTimes(1);
  });

  test('that was requested before the start is none', async () => {
    const { store, startReplica } = setUp();
    await store.requestRecovery('Aldeamo');
    const { recover } = startReplica();
    await pass(20_000);
    expect(recover).not.toHaveBeenCalled();
  });

  test('that was requested while the store was unavailable to a replica is made once it is available', async () => {
    const { store, startReplica } = setUp();
    const readControls = vi.fn(store.readControls);
    const { recover } = startReplica({ ...store, readControls });
    await pass(0);
    readControls.mockRejectedValue(new StoreUnavailable('the store does not answer'));
    await store.requestRecovery('Aldeamo');
    await pass(20_000);
    expect(recover).not.toHaveBeenCalled();
    readControls.mockImplementation(store.readControls);
    await pass(5000);
    expect(recover).toHaveBeenCalledTimes(1);
  });

  test('of a database that was restored, with a lower count, is found from there on', async () => {
    const { store, startReplica } = setUp();
    let recoveries = 7;
    const readControls = async () => [{ provider: 'Aldeamo' as const, hold: null, recoveries }];
    const { recover } = startReplica({ ...store, readControls });
    await pass(0);
    recoveries = 2;
    await pass(5000);
    expect(recover).not.toHaveBeenCalled();
    recoveries = 3;
    await pass(5000);
    expect(recover).toHaveBeenCalledTimes(1);
  });
});

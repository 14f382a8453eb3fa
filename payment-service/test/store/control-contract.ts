import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderHold } from '../../src/domain/provider-controls.ts';
import type { Store } from '../../src/store/store.ts';

const minutesFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const hold = (fields: Partial<ProviderHold> = {}): ProviderHold => ({
  since: minutesFromNow(0),
  until: null,
  by: 'maria',
  reason: 'they send twice',
  ...fields,
});

/** The part of the store's contract that is about holds and recoveries. `open` opens an empty store. */
export function describeControls(name: string, open: (leaseMs: number) => Store | Promise<Store>): void {
  describe(`${name}: the controls of the providers`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open(10_000);
    });
    afterEach(() => store.close());

    const holdOf = async (provider: string) =>
      (await store.readControls()).find((controls) => controls.provider === provider)?.hold;

    test('are none at first', async () => {
      expect(await store.readControls()).toEqual([]);
      expect(await store.deleteHold('Aldeamo', minutesFromNow(0))).toBe(false);
    });

    test('have a hold of each provider, until it is released', async () => {
      const ofAldeamo = hold({ until: minutesFromNow(60) });
      const ofTwilio = hold({ by: null });
      expect(await store.putHold('Aldeamo', ofAldeamo)).toBe(true);
      expect(await store.putHold('Twilio', ofTwilio)).toBe(true);
      const controls = await store.readControls();
      expect(controls.toSorted((a, b) => a.provider.localeCompare(b.provider))).toStrictEqual([
        { provider: 'Aldeamo', hold: ofAldeamo, recoveries: 0 },
        { provider: 'Twilio', hold: ofTwilio, recoveries: 0 },
      ]);
      expect(await store.deleteHold('Aldeamo', minutesFromNow(0))).toBe(true);
      expect(await store.deleteHold('Aldeamo', minutesFromNow(0))).toBe(false);
      expect([await holdOf('Aldeamo'), await holdOf('Twilio')]).toStrictEqual([null, ofTwilio]);
      expect(await store.putHold('Aldeamo', ofAldeamo)).toBe(true);
    });

    test('given a hold in place of one in force, keep the time since when the provider is held', async () => {
      const first = hold({ since: minutesFromNow(-90), until: minutesFromNow(1) });
      const second = hold({ until: minutesFromNow(60), by: 'juan', reason: 'still so' });
      await store.putHold('Aldeamo', first);
      expect(await store.putHold('Aldeamo', second)).toBe(false);
      expect(await holdOf('Aldeamo')).toStrictEqual({ ...second, since: first.since });
      expect(await store.putHold('Aldeamo', hold())).toBe(false);
      expect(await holdOf('Aldeamo')).toMatchObject({ since: first.since, until: null });
    });

    test('given a hold that has ended by itself, have none to release or to replace', async () => {
      await store.putHold('Twilio', hold({ since: minutesFromNow(-90), until: minutesFromNow(-1) }));
      expect(await store.deleteHold('Twilio', minutesFromNow(0))).toBe(false);
      const again = hold();
      expect(await store.putHold('Twilio', again)).toBe(true);
      expect(await holdOf('Twilio')).toStrictEqual(again);
    });

    test('given a release by a clock that is behind, have the hold until then to release', async () => {
      await store.putHold('Twilio', hold({ since: minutesFromNow(-90), until: minutesFromNow(-1) }));
      expect(await store.deleteHold('Twilio', minutesFromNow(-2))).toBe(true);
      expect(await holdOf('Twilio')).toBeNull();
    });

    test('count the recoveries of each provider, also those that are requested at once, and leave its hold', async () => {
      const held = hold();
      await store.putHold('Aldeamo', held);
      const counts = await Promise.all(Array.from({ length: 5 }, () => store.requestRecovery('Aldeamo')));
      expect(counts.toSorted()).toEqual([1, 2, 3, 4, 5]);
      expect(await store.requestRecovery('Twilio')).toBe(1);
      await store.deleteHold('Twilio', minutesFromNow(0));
      expect(await store.readControls()).toEqual(
        expect.arrayContaining([
          { provider: 'Aldeamo', hold: held, recoveries: 5 },
          { provider: 'Twilio', hold: null, recoveries: 1 },
        ]),
      );
      await store.deleteHold('Aldeamo', minutesFromNow(0));
      expect(await store.requestRecovery('Aldeamo')).toBe(6);
    });
  });
}

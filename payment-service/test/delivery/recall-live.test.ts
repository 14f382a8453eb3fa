import type { Provider } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { recallLive } from '../../src/delivery/recall-live.ts';
import { endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

type Result = Parameters<typeof endAttempt>[1];
const accepted: Result = { outcome: 'accepted', message_id: '1', mode: 'live' };
const down: Result = { outcome: 'not_sent', reason: 'connection_refused' };
const beside: Result = { outcome: 'not_sent', reason: 'sandbox_beside_live', mode: 'sandbox' };

/** The providers that are presumed live after payments with one attempt each. */
async function recalledOf(attempts: [Provider, Result][]): Promise<Provider[]> {
  const store = createMemoryStore({ leaseMs: 15_000 });
  for (const [index, [provider, outcome]] of attempts.entries())
    await store.insert(endAttempt(startAttempt(paymentNumber(index), provider), outcome, 1));
  const presumed = new Set<Provider>();
  await recallLive(store, { presumeLive: (provider) => void presumed.add(provider) });
  return [...presumed];
}

test.each<[string, [Provider, Result][], Provider[]]>([
  ['no payments', [], []],
  ['one that a live provider took', [['Twilio', accepted]], ['Twilio']],
  ['one that a sandbox refused beside a live provider', [['Twilio', beside]], ['Aldeamo']],
  [
    'one that a sandbox took, and one that was not sent',
    [
      ['Aldeamo', { ...accepted, mode: 'sandbox' }],
      ['Twilio', down],
    ],
    [],
  ],
  [
    'a hundred newer ones',
    [['Twilio', accepted], ...Array<[Provider, Result]>(100).fill(['Twilio', down])],
    [],
  ],
])('given %s, presumes live who was so', async (_which, attempts, live) => {
  expect(await recalledOf(attempts)).toEqual(live);
});

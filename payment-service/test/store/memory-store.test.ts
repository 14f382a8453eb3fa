import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/store/store.ts';
import { describeControls } from './control-contract.ts';
import { describeErasure } from './erasure-contract.ts';
import { describeEvents } from './event-contract.ts';
import { describeFinding } from './find-contract.ts';
import { createMemoryStore } from './memory-store.ts';
import { describeOperations } from './operations-contract.ts';
import { describeOwners } from './owner-contract.ts';
import { describeStore, everything, paymentNumber, running } from './store-contract.ts';
import { describeSuppressions } from './suppression-contract.ts';

describeStore('Memory', (leaseMs) => createMemoryStore({ leaseMs }));
describeOwners('Memory', (clientsIsolated) => createMemoryStore({ leaseMs: 10_000, clientsIsolated }));
describeSuppressions('Memory', (leaseMs) => createMemoryStore({ leaseMs }));
describeControls('Memory', (leaseMs) => createMemoryStore({ leaseMs }));
describeOperations('Memory', (leaseMs) => createMemoryStore({ leaseMs }));
describeErasure('Memory', createMemoryStore);
describeFinding('Memory', (leaseMs) => createMemoryStore({ leaseMs }));
describeEvents('Memory', (leaseMs, events) => createMemoryStore({ leaseMs, events }));

test('changes to an argument after the call, or to a result, change nothing in the store', async () => {
  const store = createMemoryStore({ leaseMs: 1000 });
  const payment = paymentNumber(1, { attempts: running() });
  const inserting = store.insert(payment);
  payment.attempts.length = 0;
  await inserting;
  const expected = paymentNumber(1, { attempts: running() });
  const [found, page, recorded] = [
    await store.find(payment.payment_id),
    (await store.list(everything))?.payments[0],
    store.recorded()[0],
  ];
  for (const result of [found, page, recorded]) {
    expect(result).toStrictEqual(expected);
    result?.attempts.splice(0);
  }
  expect(await store.find(payment.payment_id)).toStrictEqual(expected);
});

test('a write has no effect before it is committed', async () => {
  const store = createMemoryStore({ leaseMs: 1000 });
  const inserting = store.insert(paymentNumber(1));
  await Promise.resolve();
  expect(await store.find(paymentNumber(1).payment_id)).toBeUndefined();
  await inserting;
  expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(paymentNumber(1));
});

test('a locked store rejects writes and takes reads, until it is unlocked', async () => {
  const store = createMemoryStore({ leaseMs: 1000 });
  await store.insert(paymentNumber(1));
  store.locked = true;
  await expect(store.insert(paymentNumber(2))).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
  expect((await store.list(everything))?.payments).toStrictEqual([paymentNumber(1)]);
  store.locked = false;
  await store.insert(paymentNumber(2));
  expect(store.recorded()).toStrictEqual([paymentNumber(2), paymentNumber(1)]);
});

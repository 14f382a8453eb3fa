import { createLogger } from 'service-kit/http/start.ts';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';
import { type BoundsOptions, createBounds } from '../../src/delivery/bounds.ts';
import { createPaymentCreation } from '../../src/delivery/create-payment.ts';
import { createDelivery } from '../../src/delivery/delivery.ts';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import type { Store } from '../../src/store/store.ts';
import { type Call, fakeClient, noBounds } from '../fixture.ts';
import { everything } from '../store/store-contract.ts';

const log = createLogger({ level: 'silent' });
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Several replicas' stores of one database. */
async function openReplicas(count: number): Promise<Store[]> {
  const url = await createDatabase(inject('postgresPort'));
  const stores = await Promise.all(
    numbers(count).map(() => openPostgresStore({ url, leaseMs: 15_000, log })),
  );
  onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
  return stores;
}

describe('the bounds of two replicas on one database', () => {
  const phone = '+573001234567';
  const offeredOf = async (store: Store) =>
    ((await store.list({ ...everything, limit: 1000 }))?.payments ?? []).reduce(
      (sum, { attempts, segments }) => sum + attempts.length * segments,
      0,
    );

  test.each([
    1, 7, 100, 250,
  ])('never offer more than %i SMS in a day, and no less but for a block each', async (cap) => {
    const stores = await openReplicas(2);
    const replicas = stores.map((store) => createReplica(store, { maxPerDay: cap }));
    await Promise.all(numbers(300).map((n) => replicas[n % 2]?.pay(`+57300${1_000_000 + n}`)));
    const offered = await offeredOf(stores[0] as Store);
    expect(offered).toBeLessThanOrEqual(cap);
    expect(offered).toBeGreaterThanOrEqual(cap - 2 * Math.ceil(cap / 100));
  });

  test('never offer a recipient more than the hour allows, by payments at once', async () => {
    const stores = await openReplicas(2);
    const replicas = stores.map((store) => createReplica(store, { maxPerRecipientPerHour: 5 }));
    await Promise.all(numbers(60).map((n) => replicas[n % 2]?.pay(phone)));
    expect(await offeredOf(stores[0] as Store)).toBe(5);
    expect(await stores[1]?.countHeld()).toEqual({ recipient_limit: 55 });
  });

  /** The part of a replica that pays: its providers are live, and accept everything. */
  function createReplica(store: Store, settings: Partial<BoundsOptions>) {
    const policy = {
      baseMs: 1000,
      maxMs: 900_000,
      ttlMs: 86_400_000,
      unknownOutcome: 'resend',
      patienceMs: 1000,
      undelivered: 'resend',
      receiptTimeoutMs: 600_000,
    } as const;
    const clock = { aheadMs: () => 0, mayExpire: () => true };
    const bounds = createBounds({
      ...noBounds,
      modeOf: () => 'live',
      store,
      clock,
      policy,
      log,
      ...settings,
    });
    const calls: Call[] = [];
    const clients = { Aldeamo: fakeClient('Aldeamo', calls), Twilio: fakeClient('Twilio', calls) };
    const notifier = createNotifier({ clients, parameters: circuitBreakerDefaults, policy, bounds, log });
    onTestFinished(() => notifier.close());
    const delivery = createDelivery({ store, notifier, policy, clock, bounds });
    const { createNotified } = createPaymentCreation({ store, delivery, policy, bounds });
    return {
      pay: (to: string) =>
        createNotified(
          { amount_minor: 100, currency: 'COP', customer_id: '1', phone: to, message: 'x' },
          undefined,
          log,
        ),
    };
  }
});

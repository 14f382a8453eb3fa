import fc from 'fast-check';
import type { Outcome, ReceiptStatus } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isInVain, isPossibleDuplicate, isUnderWay } from '../../src/domain/deliveries.ts';
import { type Attempt, isTaken, type Payment } from '../../src/domain/payment.ts';
import { createWorld, leaseMs, take, type World } from './lease-world.ts';

const accepted: Outcome = { outcome: 'accepted', message_id: 'id' };
const ends = [
  { outcome: accepted, isSent: true },
  { outcome: { outcome: 'not_sent', reason: 'connection_refused' }, isSent: false },
  { outcome: { outcome: 'unknown', reason: 'connection_lost' }, isSent: true },
] satisfies { outcome: Outcome; isSent: boolean }[];
const statuses: ReceiptStatus[] = ['delivered', 'not_sent', 'undelivered', 'filtered', 'refused'];

const worker = fc.nat(1);
const steps = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ type: fc.constant('pay' as const), worker }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('claim' as const), worker }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(2 * leaseMs) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), worker }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('act' as const),
        worker,
        which: fc.nat(9),
        action: fc.constantFrom('resend' as const, 'cancel' as const),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('end' as const),
        which: fc.nat(9),
        end: fc.constantFrom(...ends),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('report' as const),
        worker,
        which: fc.nat(9),
        status: fc.constantFrom(...statuses),
      }),
    },
  ),
  { minLength: 10, maxLength: 40, size: 'max' },
);

/** An outcome is known once and for all, but one that was unknown may become known. */
function continues(before: Attempt, after: Attempt | undefined): boolean {
  if (after?.provider !== before.provider || after.started_at !== before.started_at) return false;
  if (after.outcome !== before.outcome && before.outcome !== null && before.outcome !== 'unknown')
    return false;
  return before.deliveries.every((delivery, index) => {
    const same = after.deliveries[index];
    return same?.status === delivery.status && same.reason === delivery.reason && same.at === delivery.at;
  });
}

const hasDelivered = ({ deliveries }: Attempt) => deliveries.some(({ status }) => status === 'delivered');

function checkStep(world: World, before: Payment | undefined, after: Payment): void {
  const { watch } = world;
  const { attempts, notification_status } = after;
  const inVain = before?.attempts.filter(isInVain).map(({ provider }) => provider) ?? [];
  watch.rule(
    (before?.attempts ?? []).every((attempt, index) => continues(attempt, attempts[index])),
    'history only grows',
  );
  watch.rule(
    after.reopened > 0 ||
      attempts.slice(before?.attempts.length).every(({ provider }) => !inVain.includes(provider)),
    'a provider that did not deliver an SMS gets no other one by itself, so that there is one crossing at most',
  );
  watch.rule(
    (notification_status === 'delivered') === attempts.some(hasDelivered),
    'a notification is delivered if, and only if, a receipt says so',
  );
  watch.rule(
    !attempts.some(isUnderWay) || isTaken(after),
    'a notification whose SMS was accepted, and may arrive, is sent, whatever becomes of the others',
  );
  if (notification_status === 'sent')
    watch.rule(
      attempts.some(({ outcome, deliveries }) => outcome === 'accepted' && deliveries.length === 0),
      'a notification that was sent was accepted, and no receipt says that it did not arrive',
    );
}

/** The number of SMS that a provider accepted after a receipt had said that one did not arrive. */
function crossings({ attempts }: Payment): number {
  const inVain = attempts.findIndex(({ deliveries }) => deliveries.length > 0);
  if (inVain < 0) return 0;
  return attempts.slice(inVain + 1).filter(({ outcome }) => outcome === 'accepted').length;
}

function casesOf({ watch }: World, payment: Payment): string[] {
  const { payment_id, notification_status, attempts } = payment;
  const sends = attempts.filter((_, index) => watch.sent.has(`${payment_id}-${index + 1}`)).length;
  return [
    `${notification_status}, crossings: ${crossings(payment)}`,
    ...(isPossibleDuplicate(attempts) ? ['possible duplicate'] : []),
    ...(sends > 1 ? ['sent twice'] : []),
  ];
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('given receipts in any order, repeated, and between retries and crashes, history only grows, and no status claims more than is known', {
  timeout: 60_000,
}, async () => {
  const reached = new Set<string>();
  const property = fc.asyncProperty(
    fc.array(fc.nat(500), { minLength: 1, maxLength: 20 }),
    steps,
    async (delays, sequence) => {
      vi.clearAllTimers(); // those of the run before
      const world = createWorld(delays);
      const known = new Map<string, Payment>();
      world.pay(0);
      for (const step of sequence) {
        await take(world, step);
        for (const payment of (await world.findAll()).filter((found) => found !== undefined)) {
          checkStep(world, known.get(payment.payment_id), payment);
          known.set(payment.payment_id, payment);
        }
      }
      for (const payment of known.values())
        for (const reachedCase of casesOf(world, payment)) reached.add(reachedCase);
      expect(world.watch.violations).toEqual([]);
    },
  );
  await fc.assert(property, { seed: 20260102, numRuns: 300 });
  // Without these cases the sequences would prove nothing about receipts.
  expect([...reached]).toEqual(
    expect.arrayContaining([
      'delivered, crossings: 0',
      'delivered, crossings: 1',
      'failed, crossings: 1',
      'pending, crossings: 0',
      'sent, crossings: 1',
      'possible duplicate',
      'sent twice',
    ]),
  );
});

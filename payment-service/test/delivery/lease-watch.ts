import { askedProvider } from '../../src/domain/attempts.ts';
import { isInVain } from '../../src/domain/deliveries.ts';
import { isOpen, isTaken, type Payment } from '../../src/domain/payment.ts';

/** The test's own view of a payment. It reads no field that the store decides by, so that both can disagree. */
interface Known {
  newestFence: number;
  /** When the lease expires, in ms since the epoch; undefined after a write that released it. */
  leasedUntil: number | undefined;
  hasEnded: boolean;
  /** Whether an SMS of it had been sent when it was claimed, and no receipt had said that it did not arrive. */
  wasSent: boolean;
}

/**
 * Watches the store and the providers. A broken rule is recorded rather than thrown, because delivery catches the errors of
 * a store.
 */
export function watchLeases(leaseMs: number) {
  /** The keys of the attempts whose SMS was sent. */
  const sent = new Set<string>();
  const known = new Map<string, Known>();
  const violations: string[] = [];
  let refusals = 0;
  const called = new Set<string>();
  const of = (paymentId: string) => known.get(paymentId) as Known;
  const rule = (isHeld: boolean, broken: string) => {
    if (!isHeld) violations.push(broken);
  };
  const hasEnded = (payment: Payment) => !isOpen(payment) && !askedProvider(payment);
  const isSent = (payment: Payment) =>
    payment.attempts.some(
      (attempt, index) => sent.has(`${payment.payment_id}-${index + 1}`) && !isInVain(attempt),
    );
  const leaseOf = (payment: Payment) => (askedProvider(payment) ? Date.now() + leaseMs : undefined);
  return {
    sent,
    violations,
    refusals: () => refusals,
    payments: () => [...known.keys()],
    rule,
    inserted(payment: Payment) {
      known.set(payment.payment_id, {
        newestFence: 1,
        leasedUntil: leaseOf(payment),
        hasEnded: false,
        wasSent: false,
      });
    },
    claimed(payment: Payment) {
      const before = of(payment.payment_id);
      rule(payment.fence > before.newestFence, 'a claim raises the fencing token');
      rule((before.leasedUntil ?? 0) <= Date.now(), 'a leased notification is not claimed');
      rule(!before.hasEnded, 'a notification that has ended is not claimed');
      before.newestFence = payment.fence;
      before.leasedUntil = Date.now() + leaseMs;
      before.wasSent = isSent(payment);
    },
    /** Claimed for an operator, who has it sent again, also if it has ended. */
    claimedByHand(payment: Payment) {
      const before = of(payment.payment_id);
      rule(payment.fence > before.newestFence, 'a claim raises the fencing token');
      rule((before.leasedUntil ?? 0) <= Date.now(), 'a leased notification is not claimed');
      const leasedUntil = Date.now() + leaseMs;
      // What is on record as sent is sent again on purpose.
      const wasSent = isSent(payment) && !isTaken(payment);
      known.set(payment.payment_id, { newestFence: payment.fence, leasedUntil, hasEnded: false, wasSent });
    },
    /** Taken from the worker that has leased it, whose call may be on its way. */
    seized(payment: Payment) {
      const before = of(payment.payment_id);
      rule(payment.fence > before.newestFence, 'a seizure raises the fencing token');
      before.newestFence = payment.fence;
      before.leasedUntil = Date.now() + leaseMs;
      before.hasEnded = false;
    },
    written(payment: Payment) {
      const before = of(payment.payment_id);
      rule(payment.fence === before.newestFence, 'only the newest fencing token writes');
      rule(!before.hasEnded, 'a notification ends once');
      before.hasEnded = hasEnded(payment);
      before.leasedUntil = leaseOf(payment);
    },
    amended(payment: Payment) {
      const before = of(payment.payment_id);
      rule(payment.fence === before.newestFence, 'only the newest fencing token amends');
      rule((before.leasedUntil ?? 0) <= Date.now(), 'a leased notification is not amended');
      before.newestFence += 1;
      before.hasEnded = hasEnded(payment);
    },
    refused(payment: Payment) {
      refusals += 1;
      rule(payment.fence < of(payment.payment_id).newestFence, 'the newest fencing token is not refused');
    },
    calling(key: string, stored: Payment | undefined) {
      rule(!called.has(key), 'an attempt is one call');
      called.add(key);
      const attempts = stored?.attempts ?? [];
      rule(key.endsWith(`-${attempts.length}`), 'the attempt is on record before its call');
      rule(attempts.at(-1)?.outcome === null, 'the attempt is on record as running before its call');
      rule(
        !(stored && of(stored.payment_id).wasSent),
        'the status of a sent attempt is queried before another call',
      );
    },
  };
}
export type LeaseWatch = ReturnType<typeof watchLeases>;

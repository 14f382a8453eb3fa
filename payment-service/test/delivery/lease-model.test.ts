import fc from 'fast-check';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { askedProvider } from '../../src/domain/attempts.ts';
import { isPossibleDuplicate } from '../../src/domain/deliveries.ts';
import { isOpen, type Payment } from '../../src/domain/payment.ts';
import { createWorld, leaseMs, take, type World } from './lease-world.ts';

const accepted: Outcome = { outcome: 'accepted', message_id: 'id' };
const ends = [
  { outcome: accepted, isSent: true },
  { outcome: { outcome: 'not_sent', reason: 'connection_refused' }, isSent: false },
  { outcome: { outcome: 'unknown', reason: 'deadline_passed' }, isSent: false },
  { outcome: { outcome: 'unknown', reason: 'connection_lost' }, isSent: true },
  { outcome: { outcome: 'rejected', reason: 'opted_out' }, isSent: false },
] satisfies { outcome: Outcome; isSent: boolean }[];

const worker = fc.nat(1);
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('pay' as const), worker }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('claim' as const), worker }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(3000) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(2 * leaseMs) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), worker }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('act' as const),
        worker,
        which: fc.nat(9),
        action: fc.constantFrom('resend' as const, 'cancel' as const),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant('end' as const),
        which: fc.nat(99),
        end: fc.constantFrom(...ends),
      }),
    },
  ),
  { maxLength: 30, size: 'max' },
);

/** Ends all notifications: the providers accept every call, and the outbox of one worker runs. */
async function recover(world: World): Promise<Payment[]> {
  for (let round = 0; round < 100; round += 1) {
    const payments = await world.findAll();
    if (payments.every((payment) => payment && !isOpen(payment) && !askedProvider(payment)))
      return payments as Payment[];
    while (world.callsUnderWay() > 0) world.endCall(0, accepted, true);
    await take(world, { type: 'claim', worker: 0 });
    await take(world, { type: 'pass', ms: leaseMs });
  }
  throw new Error('a notification is still pending');
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('given workers that lose their leases during calls and commits, only the newest one writes, and each notification ends once', {
  timeout: 60_000,
}, async () => {
  const reached = new Set<string>();
  const property = fc.asyncProperty(
    fc.array(fc.nat(2000), { minLength: 1, maxLength: 20 }),
    steps,
    async (delays, sequence) => {
      vi.clearAllTimers(); // those of the run before
      const world = createWorld(delays);
      for (const step of sequence) await take(world, step);
      for (const payment of await recover(world)) {
        const keys = payment.attempts.map((_, index) => `${payment.payment_id}-${index + 1}`);
        const sends = keys.filter((key) => world.watch.sent.has(key)).length;
        world.watch.rule(
          sends <= 1 || isPossibleDuplicate(payment.attempts),
          'a second SMS is recorded as a possible duplicate',
        );
        if (payment.notification_status === 'sent')
          world.watch.rule(sends > 0, 'a notification on record as sent was sent');
        if (payment.notification_status === 'cancelled')
          world.watch.rule(
            sends === 0 || payment.attempts.some(({ outcome }) => outcome === 'unknown'),
            'a notification that is cancelled was not sent, as far as that could be known',
          );
        reached.add(`${payment.notification_status} after ${sends} SMS`);
      }
      if (world.watch.refusals() > 0) reached.add('a stale write was refused');
      expect(world.watch.violations).toEqual([]);
    },
  );
  await fc.assert(property, { seed: 20260102, numRuns: 200 });
  // Without these cases the sequences would prove nothing about leases.
  expect([...reached]).toEqual(
    expect.arrayContaining([
      'a stale write was refused',
      'sent after 1 SMS',
      'sent after 2 SMS',
      'failed after 0 SMS',
      'cancelled after 0 SMS',
    ]),
  );
});

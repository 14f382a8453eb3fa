import { describe, expect, test, vi } from 'vitest';
import { type Store, type UnreadableObserver, UnreadablePayment } from '../../src/store/store.ts';
import { everything, paymentNumber, running } from './store-contract.ts';

const leaseMs = 10_000;
const idOf = (number: number) => paymentNumber(number).payment_id;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

export interface Damaged {
  store: Store;
  /** Runs a statement on the database, as another program does. */
  run(sql: string): Promise<void>;
}

/**
 * The contract of both databases, given rows that are no payments. `damages` are assignments of columns of `payments`, and
 * `attempt` is a statement that damages an attempt of the payment.
 */
export function describeUnreadable(
  name: string,
  open: (leaseMs: number, onUnreadable: UnreadableObserver) => Promise<Damaged>,
  damages: string[],
  attempt: (paymentId: string) => string[],
): void {
  const statements = (id: string) => [
    ...damages.map((assignment) => `UPDATE payments SET ${assignment} WHERE payment_id = '${id}'`),
    ...attempt(id),
  ];
  const someDamage = (id: string) =>
    `UPDATE payments SET notification_status = 'lost' WHERE payment_id = '${id}'`;

  async function openDamaged() {
    const unreadable = vi.fn<UnreadableObserver>();
    const { store, run } = await open(leaseMs, unreadable);
    return { store, run, unreadable };
  }

  describe(`${name}: a payment that cannot be read`, () => {
    test.each(
      statements('ID'),
    )('leaves the others to be claimed and listed, and is reported: %s', async (statement) => {
      const { store, run, unreadable } = await openDamaged();
      const due = { next_attempt_at: '2026-01-02T03:04:05.678Z' };
      const ended = running().map((one) => ({ ...one, outcome: 'not_sent' as const, reason: 'timeout' }));
      for (const number of numbers(3)) await store.insert(paymentNumber(number, { ...due, attempts: ended }));
      await run(statement.replaceAll('ID', idOf(2)));

      expect((await store.claimDue(10)).map(({ payment_id }) => payment_id).toSorted()).toEqual([
        idOf(1),
        idOf(3),
      ]);
      expect(unreadable.mock.calls).toEqual([[idOf(2)]]);
      const page = await store.list(everything);
      expect(page?.payments.map(({ payment_id }) => payment_id)).toEqual([idOf(3), idOf(1)]);
      expect(page?.has_more).toBe(false);
      await expect(store.find(idOf(2))).rejects.toBeInstanceOf(UnreadablePayment);
      expect(await store.find(idOf(3))).toMatchObject({ payment_id: idOf(3) });
      expect(unreadable.mock.calls).toEqual([[idOf(2)], [idOf(2)], [idOf(2)]]);
    });

    test('is left to its lease, so that as many as the outbox claims at once do not hold it up', async () => {
      const { store, run, unreadable } = await openDamaged();
      const expired = { expires_at: '2026-01-02T03:04:05.678Z' };
      const later = { expires_at: '2026-01-03T03:04:05.678Z' };
      for (const number of numbers(5))
        await store.insert(paymentNumber(number, number < 5 ? expired : later));
      for (const number of numbers(4)) await run(someDamage(idOf(number)));
      expect(await store.claimDue(2)).toEqual([]);
      expect(await store.claimDue(2)).toEqual([]);
      expect(await store.claimDue(2)).toMatchObject([{ payment_id: idOf(5) }]);
      expect(unreadable.mock.calls.flat().toSorted()).toEqual(numbers(4).map(idOf));
      expect(await store.claimDue(10)).toEqual([]);
    });

    test('takes no place on a page, whether it is the first, the last, the cursor, or a page of its own', async () => {
      const { store, run } = await openDamaged();
      for (const number of numbers(12)) await store.insert(paymentNumber(number));
      for (const number of [12, 11, 10, 7, 5, 1]) await run(someDamage(idOf(number)));
      const readable = [9, 8, 6, 4, 3, 2].map(idOf);
      const read = async (limit: number, starting_after?: string) => {
        const page = await store.list({ ...everything, limit, starting_after });
        return [page?.payments.map(({ payment_id }) => payment_id), page?.has_more];
      };
      expect(await read(2)).toEqual([readable.slice(0, 2), true]);
      expect(await read(2, idOf(8))).toEqual([readable.slice(2, 4), true]);
      expect(await read(2, idOf(4))).toEqual([readable.slice(4), false]);
      expect(await read(6)).toEqual([readable, false]);
      expect(await read(1, idOf(10))).toEqual([readable.slice(0, 1), true]);
      expect(await read(2, idOf(2))).toEqual([[], false]);
    });

    test('is not claimed by hand, and its lease is not kept', async () => {
      const { store, run } = await openDamaged();
      const failed = paymentNumber(1, { notification_status: 'failed' });
      await store.insert(failed);
      await run(someDamage(idOf(1)));
      await expect(store.claim(failed)).rejects.toBeInstanceOf(UnreadablePayment);
    });

    test('is part of the backlog, whose age is that of the oldest payment with a time', async () => {
      const { store, run } = await openDamaged();
      for (const number of numbers(2))
        await store.insert(paymentNumber(number, { created_at: `2026-01-0${number}T00:00:00.000Z` }));
      const untimed = damages.find((assignment) => assignment.startsWith('created_at'));
      await run(`UPDATE payments SET ${untimed} WHERE payment_id = '${idOf(1)}'`);
      expect(await store.backlog()).toEqual({ size: 2, oldest_at: '2026-01-02T00:00:00.000Z' });
    });
  });
}

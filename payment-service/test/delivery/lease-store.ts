import type { Payment } from '../../src/domain/payment.ts';
import { dueAt } from '../../src/domain/retry-policy.ts';
import { LeaseLost, type Store } from '../../src/store/store.ts';

export type LeasingStore = Pick<Store, 'insert' | 'update' | 'find' | 'claimDue'>;

/** The part of a store that leases notifications, in memory. */
export function openLeasingStore(leaseMs: number): LeasingStore {
  const rows = new Map<string, { payment: Payment; due: number | null }>();
  const put = (payment: Payment, due = dueAt(payment, leaseMs)) =>
    rows.set(payment.payment_id, { payment, due });
  return {
    async insert(payment) {
      put(payment);
      return { phone: payment.phone };
    },
    async update(payment) {
      if (rows.get(payment.payment_id)?.payment.fence !== payment.fence)
        throw new LeaseLost(payment.payment_id);
      put(payment);
    },
    find: async (paymentId) => rows.get(paymentId)?.payment,
    async claimDue(limit) {
      const isDue = ({ due }: { due: number | null }) => due !== null && due <= Date.now();
      return [...rows.values()]
        .filter(isDue)
        .slice(0, limit)
        .map(({ payment }) => {
          const claimed = { ...payment, fence: payment.fence + 1 };
          put(claimed, Date.now() + leaseMs);
          return claimed;
        });
    },
  };
}

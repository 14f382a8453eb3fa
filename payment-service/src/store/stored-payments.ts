import { isOpen, type Payment, paymentSchema } from '../domain/payment.ts';
import { type Claimed, type UnreadableObserver, UnreadablePayment } from './store.ts';

/** Rows that were read: the payments among them, and the ids of those that are none. */
export interface StoredPayments {
  payments: Payment[];
  unreadable: string[];
}

/** The payment of a row in either database; undefined if the row is none, because other programs have written to it. */
export function paymentOfRow(row: unknown): Payment | undefined {
  const { data } = paymentSchema.safeParse(row); // 2 to 6 µs a row
  // Only what has ended is redacted. A provider service would refuse an SMS without a text, and its circuit would open.
  return data?.message === null && isOpen(data) ? undefined : data;
}

/** The payment of a row that a claim returned, whose `suppressed` is true or 1 if its phone is. */
export const claimedOf = (payment: Payment | undefined, suppressed: unknown): Claimed | undefined =>
  payment && suppressed ? { ...payment, suppressed: true } : payment;

export function sortRows<Row extends { payment_id: string }>(
  rows: Row[],
  paymentOf: (row: Row) => Payment | undefined = paymentOfRow,
): StoredPayments {
  const stored: StoredPayments = { payments: [], unreadable: [] };
  for (const row of rows) {
    const payment = paymentOf(row);
    if (payment) stored.payments.push(payment);
    else stored.unreadable.push(row.payment_id);
  }
  return stored;
}

/** How many notifications are held for a reason. */
export interface HeldRow {
  reason: string;
  size: number;
}

export const countsOf = (rows: HeldRow[]): Record<string, number> =>
  Object.fromEntries(rows.map(({ reason, size }) => [reason, size]));

/** @throws UnreadablePayment */
export function readOne({ payments: [payment], unreadable: [id] }: StoredPayments): Payment | undefined {
  if (id !== undefined) throw new UnreadablePayment();
  return payment;
}

/** Passes the ids of rows that could not be read to the observer, and the rest on. */
export const reportTo =
  (observer: UnreadableObserver) =>
  (stored: StoredPayments): StoredPayments => {
    for (const id of stored.unreadable) observer(id);
    return stored;
  };

import { isOpen, type Payment, paymentSchema } from '../domain/payment.ts';
import {
  type Claimed,
  type PaymentPage,
  type PaymentQuery,
  type UnreadableObserver,
  UnreadablePayment,
} from './store.ts';

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

/** The fewest rows that are read at a time past those that cannot be. */
const readOnAtATime = 100;

/** Reads on past rows that cannot be read, until the page is full and it is known whether there are more. */
export async function readPage(
  query: PaymentQuery,
  read: (part: PaymentQuery) => StoredPayments | Promise<StoredPayments>,
): Promise<PaymentPage> {
  const payments: Payment[] = [];
  let part = { ...query, limit: query.limit + 1 };
  for (;;) {
    const found = await read(part);
    payments.push(...found.payments);
    const ids = [...found.unreadable, ...found.payments.map(({ payment_id }) => payment_id)];
    if (ids.length < part.limit || payments.length > query.limit)
      return { payments: payments.slice(0, query.limit), has_more: payments.length > query.limit };
    // A page runs from the newest id to the oldest.
    part = { ...query, starting_after: ids.toSorted()[0], limit: Math.max(readOnAtATime, query.limit) };
  }
}

/** Passes the ids of rows that could not be read to the observer, and the rest on. */
export const reportTo =
  (observer: UnreadableObserver) =>
  (stored: StoredPayments): StoredPayments => {
    for (const id of stored.unreadable) observer(id);
    return stored;
  };

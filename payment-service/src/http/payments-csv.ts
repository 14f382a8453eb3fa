import { Readable } from 'node:stream';
import { stringify } from 'csv-stringify/sync';
import { pagesOf } from '../delivery/payment-pages.ts';
import { deliveredAt, isPossibleDuplicate, sentAt } from '../domain/deliveries.ts';
import { formatAmount } from '../domain/money.ts';
import type { Payment } from '../domain/payment.ts';
import type { PaymentFilters, Store } from '../store/store.ts';

export const csvContentType = 'text/csv; charset=utf-8; header=present';

/** The columns in their order, whose names do not change. Neither text nor phone is one. */
const columns: Record<string, (payment: Payment) => unknown> = {
  payment_id: ({ payment_id }) => payment_id,
  created_at: ({ created_at }) => created_at,
  amount: ({ amount_minor, currency }) => formatAmount(amount_minor, currency),
  amount_minor: ({ amount_minor }) => amount_minor,
  currency: ({ currency }) => currency,
  customer_id: ({ customer_id }) => customer_id,
  client: ({ client }) => client,
  reference: ({ reference }) => reference,
  metadata: ({ metadata }) => JSON.stringify(metadata ?? {}),
  notification_service: ({ notification_service }) => notification_service,
  notification_status: ({ notification_status }) => notification_status,
  reason: ({ reason }) => reason,
  possible_duplicate: ({ attempts }) => isPossibleDuplicate(attempts),
  encoding: ({ encoding }) => encoding,
  segments: ({ segments }) => segments,
  attempts: ({ attempts }) => attempts.length,
  last_provider: ({ attempts }) => attempts.at(-1)?.provider,
  last_outcome: ({ attempts }) => attempts.at(-1)?.outcome,
  last_reason: ({ attempts }) => attempts.at(-1)?.reason,
  next_attempt_at: ({ next_attempt_at }) => next_attempt_at,
  expires_at: ({ expires_at }) => expires_at,
  sent_at: sentAt,
  delivered_at: deliveredAt,
  updated_at: ({ updated_at, created_at }) => updated_at ?? created_at,
};

/** For OpenAPI: the names alone, as of an empty list. */
export const csvExample = `${Object.keys(columns).join(',')}\r\n`;

const rowOf = (payment: Payment) => Object.values(columns).map((value) => value(payment));

/**
 * Where a spreadsheet would begin a formula: at the start of a cell, also behind spaces, and behind a semicolon, at which those of
 * Spanish-speaking countries separate cells. The wide forms count as well.
 */
const formula = /(^|[;\t])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** RFC 4180. A formula gets an apostrophe in front, because merchants chose some of the values. */
const linesOf = (rows: unknown[][]): string =>
  stringify(rows, {
    record_delimiter: 'windows',
    cast: { boolean: String, string: (text) => text.replace(formula, "$1$2'") },
  });

/**
 * The whole list as CSV, newest first, read page by page as the client takes it. It fails if the store does, and then the connection
 * is cut, so that what has arrived is not taken for all of it.
 *
 * @throws StoreUnavailable, before anything is sent
 */
export async function streamCsv(store: Pick<Store, 'list'>, filters: PaymentFilters): Promise<Readable> {
  const pages = pagesOf(store, filters);
  const first = await pages.next();
  return Readable.from(textOf(first.value ?? [], pages), { objectMode: false });
}

async function* textOf(first: Payment[], others: AsyncIterable<Payment[]>) {
  yield linesOf([Object.keys(columns)]) + linesOf(first.map(rowOf));
  for await (const payments of others) yield linesOf(payments.map(rowOf));
}

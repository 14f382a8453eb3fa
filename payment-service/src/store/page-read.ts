import { notificationStatusSchema, type Payment } from '../domain/payment.ts';
import type { PaymentFilters, PaymentPage, PaymentQuery } from './store.ts';
import type { StoredPayments } from './stored-payments.ts';

/**
 * Of each index the filters that it knows, those first that usually leave the fewest payments. Each finds them in the order of their
 * ids. What is found by a client's name and another filter has an index of its own, so that an isolated client does not wait for the
 * payments of the others. The indexes of `possible_duplicate` have those that are true, and those of `notification_service` Twilio's.
 */
const finders = {
  client_and_reference: ['client', 'reference'],
  client_and_customer: ['client', 'customer_id'],
  client_and_duplicate: ['client', 'possible_duplicate'],
  client_and_reason: ['client', 'reason'],
  client_and_twilio: ['client', 'notification_service'],
  reference: ['reference'],
  customer_id: ['customer_id'],
  possible_duplicate: ['possible_duplicate'],
  reason: ['reason'],
  client: ['client'],
  notification_service: ['notification_service'],
  notification_status: ['notification_status'],
  payment_id: [],
} as const satisfies Record<string, (keyof PaymentFilters)[]>;
export type Finder = keyof typeof finders;
const inOrder = Object.keys(finders) as Finder[];

const byStatus: Finder[] = ['customer_id', 'client', 'notification_status'];

/** What is read of a list: by which index, and from where to where. */
export interface PageRead extends PaymentFilters {
  finder: Finder;
  /** The parts of the index, which are merged; undefined if it is not by status. */
  statuses: readonly Payment['notification_status'][] | undefined;
  order: 'ASC' | 'DESC';
  /** Begins behind this id. */
  start: string;
  /** Ends with this id. */
  end: string;
  limit: number;
}

/** Reads of a store. */
export interface PageReader {
  rows(read: PageRead): StoredPayments | Promise<StoredPayments>;
  /** The id at which the index has found this many payments, whether they match the other filters or not; undefined if fewer. */
  idAfter(count: number, read: PageRead): string | undefined | Promise<string | undefined>;
}

/** How many payments a statement compares with the filters that its index does not know: it must neither run long nor be cut off. */
const comparedAtATime = 250;

/** The fewest rows that are read at a time past those that cannot be. */
const readOnAtATime = 100;

/**
 * Reads on past payments that do not match or cannot be read, until the page is full and it is known whether there are more, or the
 * signal is aborted, since no client waits for it then.
 */
export async function readPage(
  query: PaymentQuery,
  reader: PageReader,
  signal?: AbortSignal,
): Promise<PaymentPage> {
  const payments: Payment[] = [];
  const isCompared = hasOtherFilters(query);
  let read = readOf(query);
  for (;;) {
    const end = isCompared ? await reader.idAfter(comparedAtATime, read) : undefined;
    const found = await reader.rows({ ...read, end: end ?? read.end });
    payments.push(...found.payments);
    const ids = [...found.unreadable, ...found.payments.map(({ payment_id }) => payment_id)].sort();
    const isFull = ids.length >= read.limit;
    const last = isFull ? ids.at(read.order === 'ASC' ? -1 : 0) : end;
    if (last === undefined || payments.length > query.limit || signal?.aborted) break;
    read = { ...read, start: last, limit: Math.max(readOnAtATime, query.limit) };
  }
  const page = payments.slice(0, query.limit);
  return {
    payments: read.order === 'ASC' ? page.reverse() : page,
    has_more: payments.length > query.limit,
  };
}

function readOf(query: PaymentQuery): PageRead {
  const { starting_after, ending_before, created_after, created_before } = query;
  const newest = created_before === undefined ? '~' : idAt(Date.parse(created_before) + marginMs);
  const oldest = created_after === undefined ? '' : idAt(Date.parse(created_after) - marginMs);
  const finder = finderOf(query);
  return {
    ...query,
    finder,
    statuses: byStatus.includes(finder)
      ? (query.notification_status ?? notificationStatusSchema.options)
      : undefined,
    ...(ending_before === undefined
      ? { order: 'DESC', start: least(newest, starting_after ?? newest), end: oldest }
      : { order: 'ASC', start: greatest(oldest, ending_before), end: newest }),
    limit: query.limit + 1,
  };
}

const least = (one: string, other: string) => (one < other ? one : other);
const greatest = (one: string, other: string) => (one > other ? one : other);

/**
 * How far the time in an id may be from that of its payment: while a clock that was set back has not caught up, ids keep the time that
 * they had, up to ten seconds ahead; beyond that they go by the clock again.
 */
const marginMs = 10_000;

/** The least id of this time, in ms since the epoch. */
const idAt = (ms: number) => `pmt_${Math.max(0, ms).toString(16).padStart(12, '0')}`;

const finderOf = (filters: PaymentFilters): Finder =>
  inOrder.find((finder) => finders[finder].every((name) => isIndexed(name, filters))) ?? 'payment_id';

function isIndexed(name: keyof PaymentFilters, filters: PaymentFilters): boolean {
  if (name === 'possible_duplicate') return filters.possible_duplicate === true;
  if (name === 'notification_service') return filters.notification_service === 'Twilio';
  return filters[name] !== undefined;
}

/** Whether there are filters that the index of the list does not know. The time of an id is not quite that of its payment. */
function hasOtherFilters(query: PaymentQuery): boolean {
  const finder = finderOf(query);
  const known: string[] = ['limit', 'starting_after', 'ending_before', ...finders[finder]];
  if (byStatus.includes(finder)) known.push('notification_status');
  return Object.entries(query).some(([name, value]) => value !== undefined && !known.includes(name));
}

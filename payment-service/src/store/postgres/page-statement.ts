import type { Finder, PageRead } from '../page-read.ts';

interface Statement {
  /** Of the same text each time. */
  name: string;
  text: string;
  values: unknown[];
}

/** What each index finds. The predicate of a partial index has to be literal, so that a generic plan can use it. */
const conditions: Record<Finder, string> = {
  client_and_reference: 'client = :client AND reference = :reference',
  client_and_customer: 'client = :client AND customer_id = :customer_id',
  client_and_duplicate: 'client = :client AND possible_duplicate',
  client_and_reason: 'client = :client AND reason COLLATE "C" = :reason',
  client_and_twilio: "client = :client AND notification_service = 'Twilio'",
  reference: 'reference = :reference',
  customer_id: 'customer_id = :customer_id',
  possible_duplicate: 'possible_duplicate',
  reason: 'reason COLLATE "C" = :reason',
  client: 'client = :client',
  notification_service: "notification_service = 'Twilio'",
  notification_status: 'true',
  payment_id: 'true',
};

/** Compares with each filter that is given, in a way that leads to no index. */
const isFound = `
  AND (:reference::text IS NULL OR reference = :reference)
  AND (:customer_id::text IS NULL OR customer_id = :customer_id)
  AND (:reason::text IS NULL OR reason = :reason)
  AND (:client::text IS NULL OR client = :client)
  AND (:notification_service::text IS NULL OR notification_service = :notification_service)
  AND (:possible_duplicate::boolean IS NULL OR possible_duplicate = :possible_duplicate)
  AND (:created_after::timestamptz IS NULL OR created_at >= :created_after)
  AND (:created_before::timestamptz IS NULL OR created_at < :created_before)
  AND (:notification_status::text[] IS NULL OR notification_status = ANY (:notification_status))`;

/**
 * Returns up to `limit` payments.
 *
 * @param select makes a statement that returns payments from those of an expression named `payments`
 */
export function pageStatement(read: PageRead, select: (from: string) => string): Statement {
  const parts = partsOf('*', read, `${isFound} ORDER BY payment_id ${read.order} LIMIT :limit`);
  const text = `${select(`(${parts}) AS payments`)} ORDER BY payment_id ${read.order} LIMIT :limit`;
  return bind('page', text, read);
}

/** Reads nothing but the index. */
export function idAfterStatement(count: number, read: PageRead): Statement {
  const parts = partsOf('payment_id', read, ` ORDER BY payment_id ${read.order} LIMIT :limit`);
  const text = `SELECT payment_id FROM (${parts}) AS parts ORDER BY payment_id ${read.order} LIMIT 1 OFFSET :limit - 1`;
  return bind('id_after', text, { ...read, limit: count });
}

/** Each part is in the order of the ids, so that they are merged. */
function partsOf(columns: string, { finder, order, ...read }: PageRead, rest: string): string {
  const range =
    order === 'DESC'
      ? 'payment_id < :start AND payment_id >= :end'
      : 'payment_id > :start AND payment_id <= :end';
  const part = `SELECT ${columns} FROM payments WHERE ${conditions[finder]} AND ${range}`;
  // The payments of a customer have an index without the status, too.
  const statuses = finder === 'customer_id' ? read.notification_status : read.statuses;
  if (!statuses) return `${part}${rest}`;
  return statuses
    .map((_, at) => `(${part} AND notification_status = :status${at}${rest})`)
    .join(' UNION ALL ');
}

/** Replaces each name by a parameter, because PostgreSQL refuses one that a statement does not use. */
function bind(what: string, named: string, read: PageRead): Statement {
  const statuses = read.statuses?.map((status, at) => [`status${at}`, status] as const) ?? [];
  const given: Record<string, unknown> = { ...read, ...Object.fromEntries(statuses) };
  const names: string[] = [];
  const text = named.replace(/(?<!:):([a-z]\w*)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const parts = names.filter((name) => /^status\d/.test(name)).length;
  return {
    name: `${what} ${read.finder} ${parts} ${read.order}`,
    text,
    values: names.map((name) => given[name]),
  };
}

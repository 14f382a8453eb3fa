import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Finder, PageRead } from '../page-read.ts';
import { type PaymentRow, prepareRows, selectedNames } from './rows.ts';

/** The index of each, with the condition that it finds. The predicate of a partial index has to be literal in it. */
const finders: Record<Finder, [from: string, condition: string]> = {
  client_and_reference: [
    'payments INDEXED BY payments_by_client_and_reference',
    'client = ?5 AND reference = ?2',
  ],
  client_and_customer: [
    'payments INDEXED BY payments_by_client_and_customer',
    'client = ?5 AND customer_id = ?3',
  ],
  client_and_duplicate: [
    'payments INDEXED BY payments_maybe_twice_by_client',
    'client = ?5 AND possible_duplicate = 1',
  ],
  client_and_reason: ['payments INDEXED BY payments_by_client_and_reason', 'client = ?5 AND reason = ?4'],
  client_and_twilio: [
    'payments INDEXED BY payments_by_client_and_twilio',
    "client = ?5 AND notification_service = 'Twilio'",
  ],
  reference: ['payments INDEXED BY payments_by_reference', 'reference = ?2'],
  customer_id: ['payments INDEXED BY payments_by_status_and_customer', 'customer_id = ?3'],
  possible_duplicate: ['payments INDEXED BY payments_maybe_twice', 'possible_duplicate = 1'],
  reason: ['payments INDEXED BY payments_by_reason', 'reason = ?4'],
  client: ['payments INDEXED BY payments_by_client', 'client = ?5'],
  notification_service: ['payments INDEXED BY payments_by_twilio', "notification_service = 'Twilio'"],
  notification_status: ['payments INDEXED BY payments_by_status', 'true'],
  payment_id: ['payments', 'true'],
};

/** Compares with each filter that is given. A status is one of the index if that has parts. */
const isFound = `
  AND (?2 IS NULL OR reference = ?2) AND (?3 IS NULL OR customer_id = ?3) AND (?4 IS NULL OR reason = ?4)
  AND (?5 IS NULL OR client = ?5) AND (?6 IS NULL OR notification_service = ?6)
  AND (?7 IS NULL OR possible_duplicate = ?7) AND (?8 IS NULL OR created_at >= ?8) AND (?9 IS NULL OR created_at < ?9)`;
/** Within the JSON of the statuses, because for an IN with a subquery SQLite would fill a filter first. */
const isOfStatus = ` AND (?10 IS NULL OR instr(?10, '"' || notification_status || '"'))`;

const valuesOf = ({ limit, possible_duplicate: twice, notification_status, ...read }: PageRead) => [
  limit,
  read.reference ?? null,
  read.customer_id ?? null,
  read.reason ?? null,
  read.client ?? null,
  read.notification_service ?? null,
  twice === undefined ? null : Number(twice),
  read.created_after ?? null,
  read.created_before ?? null,
  notification_status ? JSON.stringify(notification_status) : null,
  read.start,
  read.end,
];

/** Merges the parts, each of which is in the order of the ids. */
function selectOf(columns: string, { finder, statuses, order }: PageRead, compared: string): string {
  const [from, condition] = finders[finder];
  const range =
    order === 'DESC' ? 'payment_id < ?11 AND payment_id >= ?12' : 'payment_id > ?11 AND payment_id <= ?12';
  const part = `SELECT ${columns} FROM ${from} WHERE ${condition} AND ${range}${compared}`;
  const parts = statuses?.map((status) => `${part} AND notification_status = '${status}'`) ?? [part];
  return `${parts.join(' UNION ALL ')} ORDER BY payment_id ${order} LIMIT`;
}

export function preparePages(db: DatabaseSync) {
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => statements.getOrInsertComputed(sql, () => prepareRows(db, sql));

  return {
    page(read: PageRead): PaymentRow[] {
      const compared = read.statuses ? isFound : isFound + isOfStatus;
      return prepared(`${selectOf(selectedNames, read, compared)} ?1`).all(...valuesOf(read)) as PaymentRow[];
    },

    /** Reads nothing but the index. */
    idAfter(count: number, read: PageRead): string | undefined {
      const values: SQLInputValue[] = valuesOf({ ...read, limit: count - 1 });
      const row = prepared(`${selectOf('payment_id', read, '')} 1 OFFSET ?1`).get(...values);
      return row?.payment_id as string | undefined;
    },
  };
}

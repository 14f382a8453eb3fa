import type { SQLOutputValue } from 'node:sqlite';
import { idSchema, reasonSchema } from 'service-kit/contract/notification.ts';
import {
  attemptColumns,
  controlColumns,
  customerColumns,
  eventColumns,
  historyColumns,
  keyColumns,
  paymentColumns,
  statisticsColumns,
  suppressionColumns,
} from '../columns.ts';

type Row = Record<string, SQLOutputValue>;

interface CopiedTable {
  name: string;
  /** What is read of SQLite. Default: the table of this name. */
  source?: string;
  /** The PostgreSQL types by column. */
  columns: Record<string, string>;
  /** Converts a row of SQLite to one of PostgreSQL. */
  convert(row: Row): Record<string, SQLOutputValue | boolean>;
}

/** Tables that are copied together by one key, an expression of text: it is unique in the first, the others refer to it. */
export interface CopiedGroup {
  key: string;
  tables: [CopiedTable, ...CopiedTable[]];
}

/** Ordered by foreign keys: a group comes after those that it refers to. */
export const copiedGroups: CopiedGroup[] = [
  {
    key: "customer_id || '\n' || client",
    tables: [{ name: 'customers', columns: customerColumns, convert: (row) => row }],
  },
  {
    key: 'payment_id',
    tables: [
      {
        name: 'payments',
        columns: paymentColumns,
        convert: (row) => ({
          ...row,
          message: row.message || null,
          reason: asRead(reasonSchema, row.reason),
          possible_duplicate: row.possible_duplicate === 1,
          due_at: timeOf(row.due_at),
        }),
      },
      {
        name: 'attempts',
        columns: attemptColumns,
        convert: (row) => ({
          ...row,
          reason: asRead(reasonSchema, row.reason),
          message_id: asRead(idSchema, row.message_id),
        }),
      },
    ],
  },
  {
    key: 'key',
    tables: [
      {
        name: 'idempotency_keys',
        columns: keyColumns,
        convert: (row) => ({ ...row, created_at: timeOf(row.created_at) }),
      },
    ],
  },
  {
    key: 'suppression_id',
    tables: [{ name: 'suppressions', columns: suppressionColumns, convert: (row) => row }],
  },
  {
    key: 'event_id',
    tables: [
      {
        name: 'events',
        // They keep their places, so that a reader of the feed goes on with the cursor that it has.
        source: "(SELECT '0' AS transaction_id, * FROM events)",
        columns: {
          ...eventColumns,
          ...{ transaction_id: 'xid8', number: 'bigint', delivery_status: 'text', tries: 'integer' },
          ...{ reason: 'text', tried_at: 'timestamptz', due_at: 'timestamptz' },
        },
        convert: (row) => ({ ...row, due_at: timeOf(row.due_at) }),
      },
    ],
  },
  {
    key: 'provider',
    tables: [{ name: 'provider_controls', columns: controlColumns, convert: (row) => row }],
  },
  {
    key: 'entry_id',
    tables: [{ name: 'history', columns: historyColumns, convert: (row) => row }],
  },
  {
    key: "hour || '\n' || process || '\n' || provider",
    tables: [{ name: 'statistics', columns: statisticsColumns, convert: (row) => row }],
  },
  {
    key: 'day',
    tables: [
      {
        name: 'sms_days',
        columns: { day: 'text', segments: 'integer', latest_block: 'integer' },
        convert: (row) => row,
      },
    ],
  },
  {
    key: 'hour || phone',
    tables: [
      {
        name: 'sms_recipient_hours',
        columns: { hour: 'text', phone: 'text', segments: 'integer' },
        convert: (row) => row,
      },
    ],
  },
];

/**
 * Has PostgreSQL number its events after the highest number that SQLite has given, also if that event has been deleted since. Run
 * after the copy, in the target; the parameter is what `highestNumberSql` returns of the source.
 */
export const continueNumbersSql = `
  SELECT setval('events_number_seq', $1::bigint)
  WHERE $1::bigint > coalesce(pg_sequence_last_value('events_number_seq'), 0)`;
export const highestNumberSql =
  "SELECT coalesce(max(seq), 0) AS number FROM sqlite_sequence WHERE name = 'events'";

const timeOf = (ms: SQLOutputValue | undefined) =>
  typeof ms === 'number' ? new Date(ms).toISOString() : null;

/** SQLite has what PostgreSQL refuses: releases that read ids and reasons as they came could store a NUL. */
const asRead = (schema: typeof idSchema, stored: SQLOutputValue | undefined) =>
  schema.safeParse(stored).data ?? null;

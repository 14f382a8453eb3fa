import type { SQLOutputValue } from 'node:sqlite';
import { idSchema, reasonSchema } from 'service-kit/contract/notification.ts';
import { attemptColumns, keyColumns, paymentColumns, suppressionColumns } from '../columns.ts';

type Row = Record<string, SQLOutputValue>;

interface CopiedTable {
  name: string;
  /** The PostgreSQL types by column. */
  columns: Record<string, string>;
  /** Converts a row of SQLite to one of PostgreSQL. */
  convert(row: Row): Row;
}

/** Tables that are copied together by one key, an expression of text: it is unique in the first, the others refer to it. */
export interface CopiedGroup {
  key: string;
  tables: [CopiedTable, ...CopiedTable[]];
}

/** Ordered by foreign keys: a group comes after those that it refers to. */
export const copiedGroups: CopiedGroup[] = [
  {
    key: 'customer_id',
    tables: [{ name: 'customers', columns: { customer_id: 'text', phone: 'text' }, convert: (row) => row }],
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

const timeOf = (ms: SQLOutputValue | undefined) =>
  typeof ms === 'number' ? new Date(ms).toISOString() : null;

/** SQLite has what PostgreSQL refuses: releases that read ids and reasons as they came could store a NUL. */
const asRead = (schema: typeof idSchema, stored: SQLOutputValue | undefined) =>
  schema.safeParse(stored).data ?? null;

import type { SQLOutputValue } from 'node:sqlite';
import { attemptColumns, keyColumns, paymentColumns } from '../columns.ts';

type Row = Record<string, SQLOutputValue>;

interface CopiedTable {
  name: string;
  /** The PostgreSQL types by column. */
  columns: Record<string, string>;
  /** Converts a row of SQLite to one of PostgreSQL. */
  convert(row: Row): Row;
}

/** Tables that are copied together by one key: the first has it as its primary key, the others refer to it. */
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
        convert: (row) => ({ ...row, message: row.message || null, due_at: timeOf(row.due_at) }),
      },
      { name: 'attempts', columns: attemptColumns, convert: (row) => row },
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
];

const timeOf = (ms: SQLOutputValue | undefined) =>
  typeof ms === 'number' ? new Date(ms).toISOString() : null;

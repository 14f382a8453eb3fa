import type { SQLOutputValue } from 'node:sqlite';
import { attemptColumns, keyColumns, paymentColumns } from '../columns.ts';

type Row = Record<string, SQLOutputValue>;

interface CopiedTable {
  name: string;
  /** With the types that they have in PostgreSQL. */
  columns: Record<string, string>;
  /** A row of SQLite as PostgreSQL has it. */
  convert(row: Row): Row;
}

/** Rows with a key of their own, and those of other tables that are theirs by this key. */
export interface CopiedGroup {
  key: string;
  tables: [CopiedTable, ...CopiedTable[]];
}

/** In this order each row comes after those that it refers to. */
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

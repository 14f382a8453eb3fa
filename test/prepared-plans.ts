import pg from 'pg';
import { onTestFinished, vi } from 'vitest';

interface Prepared {
  client: pg.Client;
  values: unknown[];
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

/** Records the statements that pg prepares from now on, with the connection and the values of the last execution. */
export function recordPrepared(): Map<string, Prepared> {
  const prepared = new Map<string, Prepared>();
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
    this: pg.Client,
    ...args: unknown[]
  ) {
    const { name, values } = args[0] as { name?: string; values?: unknown[] };
    if (name) prepared.set(name, { client: this, values: values ?? [] });
    return query.apply(this, args);
  } as never);
  onTestFinished(() => spy.mockRestore());
  return prepared;
}

/** The scans of the plan that the connection has cached, as `Index Scan on payments`; without its index condition if it has none. */
export async function scansOf(name: string, statement: Prepared): Promise<string[]> {
  const nodes = await planOf(name, statement);
  return nodes.flatMap((node) =>
    node['Relation Name'] !== undefined && node['Node Type'].endsWith('Scan')
      ? `${node['Node Type']} on ${node['Relation Name']}${node['Index Cond'] ? '' : ' without a condition'}`
      : [],
  );
}

/** The nodes of the plan that the connection has cached. */
export async function planOf(name: string, { client, values }: Prepared): Promise<PlanNode[]> {
  const parameters = values.length > 0 ? `(${values.map(literalOf).join(', ')})` : '';
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE "${name}" ${parameters}`);
  return nodesOf(rows[0]['QUERY PLAN'][0].Plan);
}

/** Reads the counters of a table: the rows that sequential scans and index scans have returned. */
export async function rowsRead(client: pg.Client, tables: string[]): Promise<{ seq: number; idx: number }> {
  const { rows } = await client.query(
    `SELECT sum(seq_tup_read)::int AS seq, sum(idx_tup_fetch)::int AS idx
     FROM pg_stat_user_tables WHERE relname = ANY ($1)`,
    [tables],
  );
  return rows[0];
}

/** Has the connections report what they have read, which they do once a second otherwise. */
export async function flushCounters(prepared: Map<string, Prepared>): Promise<void> {
  const clients = new Set([...prepared.values()].map(({ client }) => client));
  for (const client of clients) await client.query('SELECT pg_stat_force_next_flush()');
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  const text = Array.isArray(value) ? `{${value.map(elementOf).join(',')}}` : textOf(value);
  return `'${text.replaceAll("'", "''")}'`;
}

const elementOf = (value: unknown) =>
  value === null || value === undefined ? 'NULL' : `"${textOf(value).replace(/["\\]/g, '\\$&')}"`;

const textOf = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value));

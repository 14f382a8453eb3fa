/**
 * `unnest($1::text[], $2::bigint[])` for columns such as `{ id: 'text', amount: 'bigint' }`, and the arrays for it: rows
 * that go into a statement as one parameter for each column, of which the first has the number `first`.
 */
export function rowsOf<Column extends string>(columns: Record<Column, string>, first = 1) {
  const names = Object.keys(columns) as Column[];
  const parameters = names.map((name, index) => `$${first + index}::${columns[name]}[]`);
  return {
    names,
    sql: `unnest(${parameters.join(', ')}) AS given (${names.join(', ')})`,
    values: (rows: Record<Column, unknown>[]) => names.map((name) => rows.map((row) => row[name])),
    /** How many parameters it takes. */
    count: names.length,
  };
}

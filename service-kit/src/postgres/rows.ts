/**
 * Passes rows to a statement as one array parameter a column: `unnest($1::text[], $2::bigint[])` for columns such as
 * `{ id: 'text', amount: 'bigint' }`. `first` is the number of the first parameter.
 */
export function rowsOf<Column extends string>(columns: Record<Column, string>, first = 1) {
  const names = Object.keys(columns) as Column[];
  const parameters = names.map((name, index) => `$${first + index}::${columns[name]}[]`);
  return {
    names,
    /** A column as an array, to find rows by in an index: `= ANY (${rows.parameter('id')})`. */
    parameter: (column: Column) => parameters[names.indexOf(column)],
    sql: `unnest(${parameters.join(', ')}) AS given (${names.join(', ')})`,
    values: (rows: Record<Column, unknown>[]) => names.map((name) => rows.map((row) => row[name])),
    /** The number of parameters. */
    count: names.length,
  };
}

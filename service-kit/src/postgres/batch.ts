import { gather } from '../batcher.ts';
import { DatabaseError } from './database-error.ts';

/**
 * Makes one statement of those that arrive together, and so one round trip and one commit of many. `run` gets the items and
 * returns their results in the same order.
 */
export const batch = <Item, Result>(run: (items: Item[]) => Promise<Result[]>) => gather(run, isOfOneItem);

/**
 * Looks many up with one statement. `find` returns the rows that there are, in any order; the result is undefined where there
 * is none.
 */
export const batchLookup = <Row>(
  find: (keys: string[]) => Promise<Row[]>,
  keyOf: (row: Row) => string,
): ((key: string) => Promise<Row | undefined>) =>
  batch(async (keys: string[]) => {
    const found = new Map((await find(keys)).map((row) => [keyOf(row), row]));
    return keys.map((key) => found.get(key));
  });

/** Class 22: data, 23: a constraint, 40: a deadlock. Of any other error each would only wait and fail again. */
const isOfOneItem = (error: unknown) =>
  error instanceof DatabaseError && /^(22|23|40)/.test(error.sqlState ?? '');

import { DatabaseError } from './database-error.ts';

/** So many at once: while they are carried out, the next ones gather. */
const maxUnderWay = 2;
const maxItems = 500;

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes one statement of those that arrive together, and so one round trip and one commit of many. `run` gets the items and
 * returns their results in the same order.
 */
export function batch<Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
): (item: Item) => Promise<Result> {
  let queue: Waiting<Item, Result>[] = [];
  let underWay = 0;

  async function carryOut(group: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await run(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      // One bad item must not take the others down with it: each gets a statement of its own.
      if (group.length > 1 && isOfOneItem(error))
        await Promise.all(group.map((waiting) => carryOut([waiting])));
      else for (const { reject } of group) reject(error);
    }
  }

  function next(): void {
    if (queue.length === 0 || underWay >= maxUnderWay) return;
    const group = queue.slice(0, maxItems);
    queue = queue.slice(maxItems);
    underWay += 1;
    void carryOut(group).then(() => {
      underWay -= 1;
      next();
    });
  }

  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    // What arrives in the same turn of the event loop goes together.
    if (queue.push({ item, resolve, reject }) === 1) setImmediate(next);
    return promise;
  };
}

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

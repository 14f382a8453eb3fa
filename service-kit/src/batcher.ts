/** So many at once: while they are carried out, the next ones gather. */
const maxUnderWay = 2;
const maxItems = 500;

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes one call of those that arrive together, and so one round trip and one commit of many. `run` gets the items and returns
 * their results in the same order. If it throws for what one of them is, each is given to it by itself.
 */
export function gather<Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
  isOfOneItem: (error: unknown) => boolean = () => false,
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
      // One bad item must not take the others down with it: each gets a call of its own.
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

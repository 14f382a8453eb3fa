import type { Store } from '../store/store.ts';

/** What this process may still send of a day's cap, in SMS. */
export interface DailyAllowance {
  /**
   * Takes SMS of today, and returns a function that gives them back; undefined if fewer are left.
   *
   * @throws StoreUnavailable
   */
  take(segments: number): Promise<(() => void) | undefined>;
}

interface Block {
  day: string;
  left: number;
  /** The fewest that the store refused: it never has more again on the same day. */
  refused: number;
}

/**
 * Takes blocks of 1% of the cap from the store, so that payments do not wait for each other at one row. What is left of a block
 * is lost at a crash, a stop, or when the day turns. `today` is the UTC day, such as 2026-03-01.
 */
export function createDailyAllowance(
  store: Pick<Store, 'takeOfDay'>,
  cap: number,
  today: () => string,
): DailyAllowance {
  const size = Math.ceil(cap / 100);
  let block: Block = { day: '', left: 0, refused: 0 };
  let refill: Promise<void> | undefined;

  async function takeBlock(of: Block, needed: number): Promise<void> {
    const taken = await store.takeOfDay({ day: of.day, cap, block: size, needed });
    of.left += taken;
    if (taken === 0) of.refused = Math.min(of.refused, needed);
  }

  return {
    async take(segments) {
      for (;;) {
        const day = today();
        if (block.day !== day) block = { day, left: 0, refused: Number.POSITIVE_INFINITY };
        const needed = segments - block.left;
        if (needed <= 0) {
          const from = block; // another one once the day has turned
          from.left -= segments;
          return () => {
            from.left += segments;
          };
        }
        if (needed >= block.refused) return undefined;
        refill ??= takeBlock(block, needed).finally(() => {
          refill = undefined;
        });
        await refill;
      }
    },
  };
}

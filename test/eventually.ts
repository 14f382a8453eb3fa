import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls until the answer is right, and returns it.
 * @throws Error with the last answer after `withinMs`
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  withinMs: number,
  everyMs = 25,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`after ${withinMs} ms still: ${JSON.stringify(answer)}`);
    await delay(everyMs);
  }
}

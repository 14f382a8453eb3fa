import { type DestinationStream, pino } from 'pino';

/** How long a line waits for others, in ms: no longer than anybody who watches would notice. */
const gatherMs = 20;

/**
 * Lines that come shortly after one another are one write: each write wakes a thread, which takes a tenth of the CPU time of a
 * payment where they come alone. What waits is written when the process exits; only a kill without warning loses it.
 */
export function standardOutput(): DestinationStream & { flushSync(): void } {
  const output = pino.destination({ minLength: 64 * 1024, maxWrite: 128 * 1024 });
  /** Bytes that were given to the output, and are not written yet. */
  let unwritten = 0;
  let isScheduled = false;
  const flush = () => {
    isScheduled = false;
    output.flush();
  };
  output.on('write', (bytes: number) => {
    unwritten -= bytes;
  });
  // A flush while a write is under way does nothing: what it was for goes when that has ended.
  output.on('drain', () => {
    if (unwritten > 0) output.flush();
  });
  return {
    write(line) {
      unwritten += Buffer.byteLength(line);
      output.write(line);
      if (isScheduled) return;
      isScheduled = true;
      setTimeout(flush, gatherMs).unref();
    },
    /** pino's, after a fatal line. */
    flushSync() {
      output.flushSync();
      unwritten = 0;
    },
  };
}

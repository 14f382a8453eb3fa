import { type DestinationStream, pino } from 'pino';

/**
 * The lines that are written in one turn of the event loop are one write, when the turn is over: each write wakes a thread, and
 * that of a line by itself would come before the answer that the line tells of. What waits is written when the process exits.
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
      setImmediate(flush);
    },
    /** pino's, after a fatal line. */
    flushSync() {
      output.flushSync();
      unwritten = 0;
    },
  };
}

import { writeSync } from 'node:fs';
import process from 'node:process';

/** In ms. Too short to be noticed by a person who reads along. */
const batchMs = 20;

/** Of the lines that wait, in bytes: some thousand lines, so that a reader may pause for a moment under load. */
const maxWaitingBytes = 1024 * 1024;

/** How long an exit or a fatal line waits for a reader, in ms: for one that takes nothing, and for one that is slow. */
const stalledMs = 500;
const slowMs = 2000;

export interface LogOutput {
  /** Takes a line with its line feed. It never throws and never blocks. */
  write(line: string): void;
  /** Writes what waits, as far as the reader takes it without stalling. Called by pino after a fatal line. */
  flushSync(): void;
  /** The number of lines lost so far. */
  lost(): number;
}

export interface LogOutputOptions {
  /** The line that reports lost lines where they are missing. */
  notice: (lost: number) => string;
  /** Called with the code of each write that fails, such as EPIPE. */
  onError?: (code: string | undefined) => void;
}

/**
 * Writes the lines of 20 ms at once, and loses lines rather than wait: those of a failed write, and, while the reader
 * stalls, the oldest beyond the bound. The first write after that begins with a notice. Lines that wait are written when the
 * process exits; only a SIGKILL loses them.
 *
 * The descriptor does not block, so a plain write(2) is enough. A stream, or a thread that writes, would have bytes under way
 * that an exit can neither await nor take back.
 */
export function createLogOutput({ notice, onError = () => {} }: LogOutputOptions): LogOutput {
  let lines: string[] = [];
  let waitingBytes = 0;
  /** What is being written: lines, or the notice about `noticed` lines. */
  let rest = Buffer.alloc(0);
  let noticed = 0;
  /** Lines lost since the last notice. */
  let missing = 0;
  let lost = 0;
  let isTorn = false;
  /** The first refused write since the reader last took something, on the clock of `performance`. */
  let stalledAt: number | undefined;
  let isScheduled = false;

  function lose(count: number): void {
    lost += count;
    missing += count;
  }

  function loseWaiting(): void {
    lose(lines.length);
    lines = [];
    waitingBytes = 0;
  }

  /** A notice that is not written is no line lost, and its lines are still missing. */
  function loseRest(): void {
    if (noticed === 0) lose(countLines(rest));
    missing += noticed;
    noticed = 0;
    rest = Buffer.alloc(0);
  }

  function takeNext(): void {
    if (missing > 0) {
      rest = Buffer.from((isTorn ? '\n' : '') + notice(missing));
      noticed = missing;
      missing = 0;
      return;
    }
    rest = Buffer.from(lines.join(''));
    lines = [];
    waitingBytes = 0;
  }

  /** Returns whether the reader may take the rest later. */
  function writeRest(): boolean {
    unblock(process.stdout);
    try {
      while (rest.length > 0 || missing > 0 || lines.length > 0) {
        if (rest.length === 0) takeNext();
        const written = writeSync(standardOutput, rest);
        isTorn = rest[written - 1] !== lineFeed;
        rest = rest.subarray(written);
        stalledAt = undefined;
        if (rest.length === 0) noticed = 0;
      }
      return false;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return true;
      loseRest();
      loseWaiting();
      onError(code);
      return false;
    }
  }

  function flush(): void {
    isScheduled = false;
    if (!writeRest()) return;
    stalledAt ??= performance.now();
    schedule();
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(flush, batchMs).unref();
  }

  function flushSync(): void {
    const until = performance.now() + slowMs;
    while (writeRest()) {
      const now = performance.now();
      stalledAt ??= now;
      if (now > Math.min(until, stalledAt + stalledMs)) return;
      Atomics.wait(sleeper, 0, 0, 5);
    }
  }

  ignoreErrors();
  process.on('exit', flushSync);
  return {
    write(line) {
      const size = Buffer.byteLength(line);
      if (waitingBytes + size > maxWaitingBytes) loseWaiting();
      lines.push(line);
      waitingBytes += size;
      schedule();
    },
    flushSync,
    lost: () => lost,
  };
}

const standardOutput = 1;
const lineFeed = 10;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count += 1;
  return count;
}

/** Node.js ends the process by an error of these streams that has no listener, such as a warning that is written to a closed pipe. */
function ignoreErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

/**
 * Before each write, because a pipe or terminal is shared: another process that has it, too, lets it block again when it ends.
 * A file has no handle.
 */
function unblock(stream: NodeJS.WriteStream): void {
  const { _handle: handle } = stream as { _handle?: { setBlocking?: (isBlocking: boolean) => void } };
  handle?.setBlocking?.(false);
}

import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

export interface SandboxMessage {
  message_id: string;
  customer_id: string;
  idempotency_key: string | null;
  accepted_at: string;
}

export interface SandboxLedger {
  add(message: SandboxMessage): void;
  /** What was accepted, in order; the newest `ledgerSize` of it. */
  readonly messages: readonly SandboxMessage[];
}

export const ledgerSize = 100_000;

/** To take one from the front of so long an array moves all the others, which takes 80 µs: a thousand go at once. */
const forgottenAtATime = 1000;

/** With a file, what was accepted outlives the process: a line is written before the send is answered. */
export function openLedger(file?: string): SandboxLedger {
  const messages: SandboxMessage[] = [];
  if (file) {
    mkdirSync(dirname(file), { recursive: true });
    if (existsSync(file)) messages.push(...readLines(file));
  }
  return {
    get messages() {
      return messages.slice(-ledgerSize);
    },
    add(message) {
      if (file) appendFileSync(file, `${JSON.stringify(message)}\n`);
      messages.push(message);
      if (messages.length >= ledgerSize + forgottenAtATime) messages.splice(0, forgottenAtATime);
    },
  };
}

/**
 * What follows the last line break was being written when the process died; it was never answered. It is cut off, else the
 * next line would go on where it ends, and neither could be read.
 */
function readLines(file: string): SandboxMessage[] {
  const written = readFileSync(file);
  const whole = written.subarray(0, written.lastIndexOf('\n') + 1);
  if (whole.length < written.length) truncateSync(file, whole.length);
  return whole
    .toString()
    .split('\n')
    .slice(0, -1)
    .slice(-ledgerSize)
    .map((line) => JSON.parse(line));
}

import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ReceiptStatus } from '../../contract/notification.ts';
import { makePrivateFolder, takeFromOthers } from '../../private-files.ts';

export interface SandboxMessage {
  message_id: string;
  customer_id: string;
  idempotency_key: string | null;
  accepted_at: string;
  /** What becomes of it, and when; null if nothing is ever known of that. Lines of before there were deliveries have none. */
  delivery?: { status: ReceiptStatus; at: string } | null;
}

interface SandboxLedger {
  add(message: SandboxMessage): void;
  find(messageId: string): SandboxMessage | undefined;
  /** The accepted messages, in order; the newest `ledgerSize` of them. */
  readonly messages: readonly SandboxMessage[];
}

export const ledgerSize = 100_000;

/** The oldest are dropped a thousand at once, because removing one from the front moves all the others: 80 µs. */
const droppedAtATime = 1000;

/** With a file, the ledger outlives the process, because a line is written before the send is answered. */
export function openLedger(file?: string): SandboxLedger {
  const messages: SandboxMessage[] = [];
  const byId = new Map<string, SandboxMessage>();
  if (file) {
    makePrivateFolder(dirname(file));
    takeFromOthers(file); // one of another user stays as it is
    if (existsSync(file)) messages.push(...readLines(file));
  }
  for (const message of messages) byId.set(message.message_id, message);
  return {
    get messages() {
      return messages.slice(-ledgerSize);
    },
    find: (messageId) => byId.get(messageId),
    add(message) {
      if (file) appendFileSync(file, `${JSON.stringify(message)}\n`, { mode: 0o600 });
      messages.push(message);
      byId.set(message.message_id, message);
      if (messages.length < ledgerSize + droppedAtATime) return;
      for (const { message_id } of messages.splice(0, droppedAtATime)) byId.delete(message_id);
    },
  };
}

/**
 * The text after the last line break was being written when the process died, so its send was never answered. It is cut off,
 * because the next line would be appended to it, and neither could be read.
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

import type { FastifyBaseLogger } from 'fastify';
import type { Receipt } from '../../contract/notification.ts';
import { logForwarding, type ReceiptForwarder } from './receipt-forwarder.ts';

export interface ReceiptPush {
  /**
   * Sends the receipts of one SMS to payment-service after `afterMs`, one after the other. What the forwarder gives up, what
   * comes while `mostWaiting` SMS wait, and what still waits at the end is not sent.
   */
  push(receipts: Receipt[], afterMs: number): void;
  /** Ends it at once. */
  close(): Promise<void>;
}

const mostConcurrent = 32;

/** As many as the sandbox has in its ledger, with 50 MB. */
export const mostWaiting = 100_000;

export function createReceiptPush(
  forwarder: Pick<ReceiptForwarder, 'forward' | 'stop' | 'close'>,
  log: FastifyBaseLogger,
): ReceiptPush {
  const timers = new Set<NodeJS.Timeout>();
  /** A set, because removing the first of a long array moves all the others. */
  const due = new Set<Receipt[]>();
  let sending = 0;
  let isReported = false;
  let isClosed = false;

  async function sendDue(): Promise<void> {
    if (sending === mostConcurrent) return;
    sending += 1;
    for (const receipts of due) {
      due.delete(receipts);
      for (const receipt of receipts) {
        const forwarding = await forwarder.forward(receipt);
        if (!isClosed) logForwarding(log, receipt, forwarding);
      }
    }
    sending -= 1;
  }

  /** Logged once, until there is room for half of them again. */
  function hasRoom(): boolean {
    const waiting = timers.size + due.size;
    if (waiting < mostWaiting / 2) isReported = false;
    if (waiting < mostWaiting) return true;
    if (!isReported) log.warn({ waiting }, 'too many receipts wait: further ones are not sent');
    isReported = true;
    return false;
  }

  return {
    push(receipts, afterMs) {
      if (isClosed || receipts.length === 0 || !hasRoom()) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        due.add(receipts);
        void sendDue();
      }, afterMs);
      timers.add(timer);
    },
    async close() {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      due.clear();
      forwarder.stop();
      await forwarder.close();
    },
  };
}

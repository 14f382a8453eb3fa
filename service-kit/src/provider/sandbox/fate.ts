import type { ReceiptStatus } from '../../contract/notification.ts';
import type { SandboxSettings } from '../../contract/sandbox-settings.ts';
import { drawn } from './faults.ts';

/** What becomes of an accepted SMS that is not delivered. */
export const ends = ['undelivered', 'not_sent', 'filtered', 'refused'] as const satisfies ReceiptStatus[];

/** What can happen to its receipt. */
export const receiptFaults = [
  'receipt_late',
  'receipt_twice',
  'receipt_contradicting',
  'receipt_lost',
] as const;

export interface Fate {
  status: ReceiptStatus;
  /** The statuses of its receipts, in the order in which they are sent. */
  receipts: ReceiptStatus[];
  /** How long after the delivery they are sent. */
  lateMs: number;
}

/** Draws three numbers whatever the rates are, so that one that changes leaves the fates of the others as they were. */
export function drawFate(settings: SandboxSettings, roll: () => number): Fate {
  const [forEnd, forReceipt, forOrder] = [roll(), roll(), roll()];
  const fault = drawn(receiptFaults, settings, forReceipt);
  const end = drawn(ends, settings, forEnd) ?? 'delivered';
  const status = fault === 'receipt_contradicting' ? 'delivered' : end;
  return {
    status,
    receipts: receiptsOf(status, fault, forOrder),
    lateMs: fault === 'receipt_late' ? settings.receipt_late_ms : 0,
  };
}

function receiptsOf(
  status: ReceiptStatus,
  fault: (typeof receiptFaults)[number] | undefined,
  forOrder: number,
): ReceiptStatus[] {
  switch (fault) {
    case 'receipt_lost':
      return [];
    case 'receipt_twice':
      return [status, status];
    case 'receipt_contradicting':
      return forOrder < 0.5 ? ['undelivered', 'delivered'] : ['delivered', 'undelivered'];
    default:
      return [status];
  }
}

import { receiptStatusSchema } from 'service-kit/contract/notification.ts';
import { bounds } from '../domain/bounds.ts';
import { suppressedReason } from '../domain/suppression.ts';

/**
 * The codes of Twilio with which an SMS usually ends, in its answer or in a receipt
 * (https://www.twilio.com/docs/api/errors). Not all codes, because each is a series in each process.
 */
const twilioCodes = [
  ...[21211, 21266, 21610, 21614, 21635],
  ...[30001, 30002, 30003, 30004, 30005, 30006, 30007, 30008],
  ...[30017, 30018, 30022, 30023, 30024, 30032, 30034, 30036, 30044, 30410, 30454, 30500],
];

const undeliveredStatuses = receiptStatusSchema.exclude(['delivered']).options;

const other = 'other';

/** The values of the label `reason`: a provider invents reasons, and each new one would be a series for ever. */
export const failureReasons: readonly string[] = [
  'expired',
  suppressedReason,
  ...bounds,
  ...['phone_unknown', 'phone_invalid', 'blocked', 'opted_out'],
  // A receipt without a reason has its status for one.
  ...undeliveredStatuses,
  ...undeliveredStatuses.map((status) => `sandbox_${status}`),
  ...['unspecified', 'twilio_failed', 'twilio_undelivered', 'twilio_canceled'],
  ...twilioCodes.map((code) => `twilio_${code}`),
  other,
];

const known = new Set(failureReasons);

export const labelOfReason = (reason: string | null): string =>
  reason !== null && known.has(reason) ? reason : other;

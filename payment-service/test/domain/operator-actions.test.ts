import { describe, expect, test } from 'vitest';
import {
  allowedActions,
  cancel,
  describeAllowed,
  isRejected,
  mayBeRetried,
  newAction,
  reopen,
} from '../../src/domain/operator-actions.ts';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { paymentNumber } from '../store/store-contract.ts';

const attempt: Attempt = {
  ...{ provider: 'Aldeamo', outcome: 'not_sent', reason: 'connection_refused', message_id: null },
  ...{ started_at: '2026-01-01T00:00:00.000Z', duration_ms: 1, mode: null, phone_last4: null },
  deliveries: [],
};
const rejected: Attempt = { ...attempt, outcome: 'rejected', reason: 'opted_out' };
const refused: Attempt = {
  ...{ ...attempt, outcome: 'accepted', reason: null, message_id: 'AL1' },
  deliveries: [{ status: 'refused', reason: 'blocked', at: attempt.started_at }],
};
const action = newAction({ action: 'resend', by: 'maria', reason: 'the customer called' });

describe('allowedActions', () => {
  test.each<[Payment['notification_status'], string]>([
    ['pending', 'The notification is pending: it can be cancelled.'],
    ['held', 'The notification is held: it can be resent or cancelled.'],
    ['sent', 'The notification is sent: it can be resent.'],
    ['delivered', 'The notification is delivered: it can be resent.'],
    ['failed', 'The notification is failed: it can be resent.'],
    ['cancelled', 'The notification is cancelled: it can be resent.'],
  ])('given a notification that is %s, says so in words: %s', (notification_status, words) => {
    expect(describeAllowed({ notification_status })).toBe(words);
    const canCancel = allowedActions({ notification_status }).includes('cancel');
    expect(canCancel).toBe(words.includes('cancelled.'));
  });
});

describe('reopen', () => {
  test.each([
    'failed',
    'held',
    'cancelled',
  ] as const)('given what is %s, makes it pending without a reason', (notification_status) => {
    const payment = paymentNumber(1, { notification_status, reason: 'expired', attempts: [attempt] });
    const reopened = reopen(payment, action, 1000);
    expect(reopened).toMatchObject({ notification_status: 'pending', reason: null, reopened: 1 });
    expect(reopened.actions).toEqual([action]);
    expect(Date.parse(reopened.expires_at)).toBeGreaterThan(Date.now() - 1000);
  });

  test.each([
    'sent',
    'delivered',
  ] as const)('given what is %s, leaves its status and reason', (notification_status) => {
    const payment = paymentNumber(1, { notification_status, reason: 'no_receipt' });
    expect(reopen(payment, action, 1000)).toMatchObject({ notification_status, reason: 'no_receipt' });
  });
});

test('cancel ends the notification, and records by whom', () => {
  const payment = paymentNumber(1, { next_attempt_at: attempt.started_at });
  expect(cancel(payment, 'by_hand', action)).toMatchObject({
    ...{ notification_status: 'cancelled', reason: 'by_hand', next_attempt_at: null, actions: [action] },
  });
});

describe('isRejected', () => {
  test.each<[what: string, fields: Partial<Payment>, expected: boolean]>([
    ['a rejection', { attempts: [attempt, rejected] }, true],
    ['a receipt that says refused', { attempts: [refused] }, true],
    ['a rejection before it was reopened', { attempts: [rejected, attempt], reopened: 1 }, false],
    ['no known phone', { attempts: [{ ...rejected, reason: 'phone_unknown' }] }, false],
    ['no rejection', { attempts: [attempt] }, false],
  ])('given %s, says whether a provider has rejected the recipient', (_what, fields, expected) => {
    expect(isRejected(paymentNumber(1, fields))).toBe(expected);
  });
});

describe('mayBeRetried', () => {
  test.each<[what: string, fields: Partial<Payment>, expected: boolean]>([
    ['what expired', { notification_status: 'failed', reason: 'expired', attempts: [attempt] }, true],
    ['what is held', { notification_status: 'held', reason: 'phone_unknown' }, true],
    ['what was rejected', { notification_status: 'failed', attempts: [rejected] }, false],
    ['what a receipt says was refused', { notification_status: 'failed', attempts: [refused] }, false],
    ['a suppressed phone', { notification_status: 'failed', reason: 'suppressed' }, false],
    ['a redacted text', { notification_status: 'failed', reason: 'expired', message: null }, false],
    ['what was cancelled', { notification_status: 'cancelled', reason: 'by_hand' }, false],
    ['what is pending', {}, false],
    ['what was sent', { notification_status: 'sent' }, false],
  ])('given %s, says whether a retry of many includes it', (_what, fields, expected) => {
    expect(mayBeRetried(paymentNumber(1, fields))).toBe(expected);
  });
});

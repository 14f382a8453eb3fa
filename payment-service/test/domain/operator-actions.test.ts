import { describe, expect, test } from 'vitest';
import { endAttempt, settleAttempt, startAttempt } from '../../src/domain/attempts.ts';
import {
  allowedActions,
  cancel,
  describeAllowed,
  isRejected,
  isRejectedPhone,
  mayBeRetried,
  newAction,
  reopen,
} from '../../src/domain/operator-actions.ts';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { applyReceipt } from '../../src/domain/receipts.ts';
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

describe('what is sent again to another phone, while it is not known what became of the first SMS', () => {
  const phone = '+573001234567';
  const unknown: Attempt = { ...attempt, outcome: 'unknown', reason: 'timeout', phone_last4: '9999' };
  const first = paymentNumber(1, {
    phone: '+573009999999',
    notification_status: 'held',
    attempts: [unknown],
  });
  const waiting = { ...reopen(first, action, 60_000), next_attempt_at: '2998-01-01T00:00:00.000Z' };
  const another = { ...waiting, phone };
  const asBefore = { notification_status: 'pending', reason: null, next_attempt_at: waiting.next_attempt_at };

  test.each([
    'opted_out',
    'phone_invalid',
  ])('is not ended by a rejection of the first phone as %s', (reason) => {
    const settled = settleAttempt(another, 0, { outcome: 'rejected', reason });
    expect(settled).toMatchObject({ ...asBefore, attempts: [{ outcome: 'rejected', reason }] });
    expect(isRejectedPhone(settled, first.phone)).toBe(true);
    expect(isRejectedPhone(settled, phone)).toBe(false);
  });

  test.each([
    'undelivered',
    'refused',
  ] as const)('is not ended by a receipt that the first SMS was %s', (status) => {
    const receipt = { provider: 'Aldeamo', message_id: 'AL1', status, reason: null } as const;
    const idempotency_key = `${first.payment_id}-1`;
    const reported = applyReceipt(another, { ...receipt, idempotency_key }, 'fail');
    expect(reported).toMatchObject({ ...asBefore, attempts: [{ deliveries: [{ status }] }] });
  });

  test('is ended by a rejection if the phone is the same', () => {
    const settled = settleAttempt(waiting, 0, { outcome: 'rejected', reason: 'opted_out' });
    expect(settled).toMatchObject({ notification_status: 'failed', reason: 'opted_out' });
  });

  test('is ended by a rejection of its own', () => {
    const tried = startAttempt(another, 'Aldeamo');
    const failed = endAttempt(tried, { outcome: 'rejected', reason: 'opted_out' }, 1);
    expect(failed).toMatchObject({ notification_status: 'failed', reason: 'opted_out' });
  });
});

test('given an SMS that did not arrive, and another phone that was rejected since, does not send to that phone', () => {
  const sent = endAttempt(
    startAttempt(
      paymentNumber(1, { phone: '+573009999999', expires_at: '2998-01-01T00:00:00.000Z' }),
      'Aldeamo',
    ),
    { outcome: 'accepted', message_id: 'AL1' },
    1,
  );
  const moved = { ...reopen(sent, action, 60_000), phone: '+573001234567' };
  const resent = endAttempt(
    startAttempt(moved, 'Aldeamo'),
    { outcome: 'rejected', reason: 'phone_invalid' },
    1,
  );
  expect(resent.notification_status).toBe('sent');
  const idempotency_key = `${sent.payment_id}-1`;
  const receipt = { provider: 'Aldeamo', message_id: 'AL1', status: 'undelivered', reason: null } as const;
  const reported = applyReceipt(resent, { ...receipt, idempotency_key }, 'resend');
  expect(reported).toMatchObject({ notification_status: 'failed', reason: 'undelivered' });
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

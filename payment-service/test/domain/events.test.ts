import { expect, test } from 'vitest';
import { eventDataSchema, eventsOf } from '../../src/domain/events.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import { suppressNew } from '../../src/domain/suppression.ts';

const text = 'Pago recibido, código 4711';
const phone = '+573001234567';
const request = { amount_minor: 10_050, currency: 'COP', customer_id: '123', phone, message: text };
const created = newPayment(request, 86_400_000, { traceparent: '00-trace', request_id: 'req-1' });
const updated_at = '2026-03-01T12:00:00.000Z';

const attempt = (provider: 'Aldeamo' | 'Twilio', outcome: Payment['attempts'][number]['outcome']) => ({
  provider,
  outcome,
  reason: null,
  message_id: 'SM1',
  started_at: '2026-03-01T11:59:59.000Z',
  duration_ms: 12,
  mode: 'live' as const,
  phone_last4: '4567',
  deliveries: [],
});
const refused = attempt('Aldeamo', 'not_sent');
const unknown = attempt('Aldeamo', 'unknown');
const accepted = attempt('Twilio', 'accepted');
const delivered = {
  ...accepted,
  deliveries: [{ status: 'delivered' as const, reason: null, at: '2026-03-01T12:00:01.000Z' }],
};

const changed = (changes: Partial<Payment>): Payment => ({ ...created, updated_at, ...changes });
const sent = changed({
  notification_status: 'sent',
  notification_service: 'Twilio',
  attempts: [refused, accepted],
});
const sentTwice = { ...sent, attempts: [unknown, accepted] };
const pending = changed({ attempts: [unknown] });
const held = changed({ notification_status: 'held', reason: 'unknown_outcome', attempts: [unknown] });
const failed = changed({ notification_status: 'failed', reason: 'expired' });
const arrived = { ...sent, notification_status: 'delivered' as const, attempts: [refused, delivered] };

const typesOf = (payment: Payment, before?: Payment) => eventsOf(payment, before).map(({ type }) => type);
const typeOf = (status: Payment['notification_status']) => `payment.notification.${status}`;
const twice = 'payment.possible_duplicate';

test.each<[change: string, before: Payment | undefined, after: Payment, types: string[]]>([
  ['a new payment that is pending', undefined, created, []],
  ['a new payment whose first attempt runs', undefined, { ...created, attempts: [refused] }, []],
  ['a new payment that is held', undefined, held, [typeOf('held')]],
  ['a new payment whose phone is suppressed', undefined, suppressNew(created), [typeOf('failed')]],
  ['a payment that is stored as sent, with nothing known before', undefined, sent, [typeOf('sent')]],
  ['another attempt', created, pending, []],
  ['a hold', pending, held, [typeOf('held')]],
  ['the end of a hold', held, pending, [typeOf('pending')]],
  ['an SMS that was sent', pending, sent, [typeOf('sent')]],
  ['an SMS that was delivered', sent, arrived, [typeOf('delivered')]],
  ['an SMS that was not delivered and is sent again', sent, pending, [typeOf('pending')]],
  ['a receipt that changes nothing that a client sees', arrived, { ...arrived, fence: 7 }, []],
  ['a failure', pending, failed, [typeOf('failed')]],
  ['another reason of a failure', failed, { ...failed, reason: 'no_phone' }, []],
  ['a resend', failed, pending, [typeOf('pending')]],
  ['a cancellation', pending, changed({ notification_status: 'cancelled' }), [typeOf('cancelled')]],
  ['an SMS that may be the second', pending, sentTwice, [typeOf('sent'), twice]],
  ['a new payment that was sent, perhaps twice', undefined, sentTwice, [typeOf('sent'), twice]],
  ['a second SMS that comes to light later', sent, sentTwice, [twice]],
  [
    'what becomes of a possible duplicate',
    sentTwice,
    { ...arrived, attempts: [unknown, delivered] },
    [typeOf('delivered')],
  ],
  ['a third SMS', sentTwice, { ...sentTwice, attempts: [unknown, accepted, accepted] }, []],
])('the events of %s', (_change, before, after, types) => {
  expect(typesOf(after, before)).toEqual(types);
});

test('an event has the id of its payment, the time of the change, and an id that sorts after that of the event before', () => {
  const events = [
    ...eventsOf({ ...failed, updated_at: null }, undefined),
    ...eventsOf(sentTwice, undefined),
    ...eventsOf(arrived, sent),
  ];
  expect(events.map(({ created_at }) => created_at)).toEqual([
    created.created_at,
    ...[updated_at, updated_at, updated_at],
  ]);
  expect(new Set(events.map(({ payment_id }) => payment_id))).toEqual(new Set([created.payment_id]));
  const ids = events.map(({ event_id }) => event_id);
  for (const id of ids) expect(id).toMatch(/^evt_[0-9a-f]{12}7[0-9a-f]{19}$/);
  expect(ids).toEqual([...new Set(ids)].toSorted());
});

test("an event's data is the payment at the time, without its text, its phone and its attempts", () => {
  const [event] = eventsOf(arrived, sent);
  const data = JSON.parse(event?.data ?? '');
  expect(data).toEqual({
    payment_id: created.payment_id,
    status: 'completed',
    amount_minor: 10050,
    client: null,
    reference: null,
    metadata: {},
    amount: 100.5,
    currency: 'COP',
    customer_id: '123',
    notification_service: 'Twilio',
    notification_status: 'delivered',
    possible_duplicate: false,
    created_at: created.created_at,
    updated_at,
    sent_at: '2026-03-01T11:59:59.012Z',
    delivered_at: '2026-03-01T12:00:01.000Z',
    expires_at: created.expires_at,
    notification: { encoding: 'UCS-2', segments: 1, reason: null, next_attempt_at: null },
  });
  expect(eventDataSchema.strict().parse(data)).toEqual(data);
});

test('no event contains the text, the phone or its last digits, the ids of the SMS, or those of the request', () => {
  const all = [created, held, failed, sent, sentTwice, arrived, suppressNew(created)];
  const events = all.flatMap((before) => all.flatMap((after) => eventsOf(after, before)));
  expect(events.length).toBeGreaterThan(20);
  const written = JSON.stringify(events.map(({ event_id: _id, ...event }) => event)).replaceAll(
    created.payment_id,
    '',
  );
  for (const secret of [text, '4711', phone, '4567', 'SM1', '00-trace', 'req-1', 'message', 'attempts"'])
    expect(written, secret).not.toContain(secret);
});

test.each([
  [9_007_199_254_740_991, 'COP', '90071992547409.91'],
  [9_007_199_254_740_991, 'CLF', '900719925474.0991'],
  [9_007_199_254_740_991, 'CLP', '9007199254740991'],
  [1_000_000_000_000_001, 'COP', '10000000000000.01'],
  [10, 'COP', '0.1'],
])('an event has the exact amount of %i minor units of %s: %s', (amount_minor, currency, amount) => {
  const [event] = eventsOf({ ...sent, amount_minor, currency }, created);
  expect(event?.data).toContain(`"amount":${amount},`);
});

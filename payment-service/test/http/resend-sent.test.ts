import type { Outcome } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { newSuppression } from '../../src/domain/suppression.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { begin, body, build, hold, paymentOf, post, refused, resend } from '../fixture.ts';

type Built = Awaited<ReturnType<typeof build>>;

const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };
const lost: Outcome = { outcome: 'unknown', reason: 'connection_lost' };
const phone = '+573001234567';

/** A payment that Aldeamo has accepted; delivered, if its receipt says so. */
async function pay({ app }: Built, status: 'sent' | 'delivered' = 'sent') {
  const payment = paymentOf(await app.inject(post({ ...body, phone })));
  if (status === 'delivered') await report(app, payment.payment_id, 1, 'delivered');
  return payment.payment_id;
}

const report = (
  app: Built['app'],
  payment_id: string,
  attempt: number,
  status: string,
  provider = 'Aldeamo',
) =>
  app.inject({
    method: 'POST',
    url: '/receipts',
    payload: {
      ...{ provider, message_id: `${provider}-1`, idempotency_key: `${payment_id}-${attempt}` },
      ...{ status, reason: status === 'delivered' ? null : 'c1' },
    },
  });

const find = async ({ app }: Built, payment_id: string) =>
  paymentOf(await app.inject(`/payments/${payment_id}`));

describe('a resend of what was sent', () => {
  test.each([
    'sent',
    'delivered',
  ] as const)('given what is %s, sends once more, and flags it as a possible duplicate', async (status) => {
    const built = await build();
    const id = await pay(built, status);
    built.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL2' });
    const resent = paymentOf(await built.app.inject(resend(id)));
    expect(resent).toMatchObject({
      ...{ notification_status: status, possible_duplicate: true, notification: { next_attempt_at: null } },
      actions: [{ action: 'resend' }],
    });
    expect(resent.notification.attempts.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(built.calls).toHaveLength(2);
    expect(await find(built, id)).toEqual(resent);
  });

  test.each([
    'sent',
    'delivered',
  ] as const)('given providers that fail, leaves it %s with the attempts, and retries nothing', async (status) => {
    const built = await build();
    const id = await pay(built, status);
    built.clients.Aldeamo.answer = built.clients.Twilio.answer = async () => refused;
    const resent = paymentOf(await built.app.inject(resend(id)));
    expect(resent).toMatchObject({
      ...{ notification_status: status, notification_service: 'Aldeamo', possible_duplicate: false },
      notification: { reason: null, next_attempt_at: null },
    });
    expect(resent.notification.attempts.map(({ reason }) => reason)).toEqual([
      ...[null, 'connection_refused', 'connection_refused'],
    ]);
    expect(await built.store.claimDue(10)).toEqual([]);
  });

  test('fails over as a new payment does', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => refused;
    const resent = paymentOf(await built.app.inject(resend(id)));
    expect(resent).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
    expect(built.calls.map(({ provider }) => provider)).toEqual(['Aldeamo', 'Aldeamo', 'Twilio']);
  });

  test('leaves its status while the attempt runs, and refuses a second resend then', async () => {
    const built = await build();
    const id = await pay(built, 'delivered');
    const { letGo, called } = hold(built.clients.Aldeamo);
    const first = begin(built.app, resend(id));
    await called;
    expect(await find(built, id)).toMatchObject({ notification_status: 'delivered', actions: [{}] });
    const second = await built.app.inject(resend(id));
    expect([second.statusCode, second.json().type]).toEqual([409, '/problems/notification-in-use']);
    expect(second.headers['retry-after']).toBe('1');
    letGo();
    expect((await first).statusCode).toBe(200);
    expect(built.calls).toHaveLength(2);
  });

  test('given a rejection of the second SMS, stays sent, and is sent to this phone no more', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => optedOut;
    expect(paymentOf(await built.app.inject(resend(id)))).toMatchObject({ notification_status: 'sent' });
    await built.store.deleteSuppression(
      (await built.store.findSuppression({ phone }))?.suppression_id ?? 'the opt-out is one',
    );
    expect((await built.app.inject(resend(id))).json().type).toBe('/problems/recipient-rejected');
    expect((await built.app.inject(resend(id, { phone: '+573007654321' }))).statusCode).toBe(200);
  });

  test('given a suppressed phone, is a 409', async () => {
    const built = await build();
    const id = await pay(built);
    await built.store.putSuppression(
      newSuppression({ phone, source: 'admin', reason: 'asked us', provider: null, payment_id: null }),
    );
    expect((await built.app.inject(resend(id))).json().type).toBe('/problems/recipient-suppressed');
    expect(built.calls).toHaveLength(1);
    expect(await find(built, id)).toMatchObject({ notification_status: 'sent', actions: [] });
  });

  test.each([
    [[1, 'undelivered'], [2, 'delivered'], 'delivered'],
    [[1, 'undelivered'], [2, 'undelivered'], 'failed'],
    [[2, 'undelivered'], [1, 'delivered'], 'delivered'],
  ] as const)('given the receipts %j, then %j, is %s: the one SMS counts as long as it may arrive', async (first, second, expected) => {
    const built = await build({ undelivered: 'fail' });
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => refused;
    await built.app.inject(resend(id));
    const send = ([attempt, status]: readonly [1 | 2, string]) =>
      attempt === 1 ? report(built.app, id, 1, status) : report(built.app, id, 3, status, 'Twilio');
    expect((await send(first)).statusCode).toBe(204);
    expect((await find(built, id)).notification_status).toBe('sent');
    expect((await send(second)).statusCode).toBe(204);
    expect((await find(built, id)).notification_status).toBe(expected);
  });

  test('given a receipt that the first SMS did not arrive, and a second one that none accepted, sends it by the other provider', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = built.clients.Twilio.answer = async () => refused;
    await built.app.inject(resend(id));
    await report(built.app, id, 1, 'not_sent');
    expect(await find(built, id)).toMatchObject({
      ...{ notification_status: 'pending', notification: { next_attempt_at: expect.any(String) } },
    });
  });

  test('given a bound that does not let it out, is a 409 with the reason, and stays as it was', async () => {
    const bounds = { maxPerDay: 1, modeOf: () => 'live' as const };
    const built = await build({ bounds });
    const id = await pay(built);
    const response = await built.app.inject(resend(id));
    expect([response.statusCode, response.json()]).toMatchObject([
      409,
      { type: '/problems/resend-held-back', reason: 'daily_limit' },
    ]);
    expect(await find(built, id)).toMatchObject({ notification_status: 'sent', actions: [] });
    expect((await built.app.inject(resend(id))).json().type).toBe('/problems/resend-held-back');
  });

  test('given a bound that does not let it fail over, stays sent, and waits for nothing', async () => {
    const bounds = { maxPerDay: 2, modeOf: () => 'live' as const };
    const built = await build({ bounds });
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => refused;
    expect(paymentOf(await built.app.inject(resend(id)))).toMatchObject({
      ...{ notification_status: 'sent', notification: { reason: null, next_attempt_at: null } },
    });
    expect(built.calls.map(({ provider }) => provider)).toEqual(['Aldeamo', 'Aldeamo']);
  });

  test('given a phone that is suppressed before the failover, stays sent', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => {
      await built.store.putSuppression(
        newSuppression({ phone, source: 'admin', reason: 'asked us', provider: null, payment_id: null }),
      );
      return refused;
    };
    const resent = paymentOf(await built.app.inject(resend(id)));
    expect(resent).toMatchObject({ notification_status: 'sent', notification: { reason: null } });
    expect(resent.notification.attempts).toHaveLength(2);
  });

  test('given a text that is redacted, is a 409', async () => {
    const built = await build();
    const id = await pay(built, 'delivered');
    await built.store.redact(Date.now() + 1000, 10);
    expect((await built.app.inject(resend(id))).json().type).toBe('/problems/message-redacted');
  });
});

describe('a resend by a chosen provider', () => {
  test('goes to it alone, and is recorded', async () => {
    const built = await build();
    const id = await pay(built);
    const resent = paymentOf(await built.app.inject(resend(id, { provider: 'Twilio' })));
    expect(resent).toMatchObject({ notification_service: 'Twilio', actions: [{ provider: 'Twilio' }] });
    expect(built.calls.map(({ provider }) => provider)).toEqual(['Aldeamo', 'Twilio']);
  });

  test('does not fail over', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => refused;
    const resent = paymentOf(await built.app.inject(resend(id, { provider: 'Aldeamo' })));
    expect(resent.notification.attempts).toHaveLength(2);
    expect(built.calls.map(({ provider }) => provider)).toEqual(['Aldeamo', 'Aldeamo']);
  });

  test('given its open circuit, is an attempt that was not made', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Aldeamo.answer = async () => refused;
    for (let n = 0; n < circuitBreakerDefaults.consecutiveFailures; n += 1)
      await built.app.inject(post(body));
    const before = built.calls.length;
    const resent = paymentOf(await built.app.inject(resend(id, { provider: 'Aldeamo' })));
    expect(resent).toMatchObject({ notification_status: 'sent', actions: [{ provider: 'Aldeamo' }] });
    expect(resent.notification.attempts.at(-1)).toMatchObject({
      provider: 'Aldeamo',
      reason: 'circuit_open',
    });
    expect(built.calls).toHaveLength(before);
  });

  test('given a receipt that it did not arrive, is not sent by the other one', async () => {
    const built = await build();
    const id = await pay(built);
    built.clients.Twilio.answer = async () => ({ outcome: 'accepted', message_id: 'Twilio-1' });
    await report(built.app, id, 1, 'filtered');
    await built.app.inject(resend(id, { provider: 'Twilio' }));
    await report(built.app, id, 2, 'undelivered', 'Twilio');
    expect(await find(built, id)).toMatchObject({ notification_status: 'failed' });
  });
});

describe('a resend with an Idempotency-Key', () => {
  const key = { 'idempotency-key': 'press-1' };

  test('given twice, sends once, and returns the payment as it is', async () => {
    const built = await build();
    const id = await pay(built);
    const first = await built.app.inject(resend(id, { phone: '3007654321' }, key));
    await report(built.app, id, 1, 'delivered');
    const again = await built.app.inject(resend(id, { phone: '+573007654321' }, key));
    expect([first.headers['idempotent-replayed'], again.headers['idempotent-replayed']]).toEqual([
      ...[undefined, 'true'],
    ]);
    expect(paymentOf(again)).toMatchObject({ notification_status: 'delivered' });
    expect(built.calls).toHaveLength(2);
  });

  test.each([
    { reason: 'another one' },
    { provider: 'Twilio' },
    { phone: '+573007654321' },
  ])('given again with %j, is a 422', async (other) => {
    const built = await build();
    const id = await pay(built);
    await built.app.inject(resend(id, {}, key));
    const again = await built.app.inject(resend(id, other, key));
    expect([again.statusCode, again.json().type]).toEqual([422, '/problems/idempotency-key-reused']);
    expect(built.calls).toHaveLength(2);
  });

  test('given another key, sends again', async () => {
    const built = await build();
    const id = await pay(built);
    await built.app.inject(resend(id, {}, key));
    await built.app.inject(resend(id, {}, { 'idempotency-key': 'press-2' }));
    expect(built.calls).toHaveLength(3);
  });

  test('given twice at once, sends once: the second is a 409 until the first has ended, and is replayed then', async () => {
    const built = await build();
    const id = await pay(built);
    const { letGo, called } = hold(built.clients.Aldeamo);
    const first = begin(built.app, resend(id, {}, key));
    const second = begin(built.app, resend(id, {}, key));
    await called;
    const [one] = await Promise.all([
      Promise.race([first, second]),
      built.app.inject(resend(id, {}, key)).then((third) => {
        expect([third.statusCode, third.json().type, third.headers['retry-after']]).toEqual([
          ...[409, '/problems/idempotency-key-in-use', '1'],
        ]);
      }),
    ]);
    expect([one.statusCode, one.json().type]).toEqual([409, '/problems/idempotency-key-in-use']);
    letGo();
    expect((await Promise.all([first, second])).map(({ statusCode }) => statusCode).toSorted()).toEqual([
      ...[200, 409],
    ]);
    const replayed = await built.app.inject(resend(id, {}, key));
    expect([replayed.statusCode, replayed.headers['idempotent-replayed']]).toEqual([200, 'true']);
    expect(built.calls).toHaveLength(2);
  });

  test('given what turns out to be sent, sends nothing, also if it is repeated', async () => {
    const built = await build({ unknownOutcome: 'hold' });
    built.clients.Aldeamo.answer = async () => lost;
    const id = paymentOf(await built.app.inject(post(body))).payment_id;
    await built.store.update({
      ...(await built.store.claim((await built.store.find(id)) as never)),
      ...{ notification_status: 'held', reason: 'unknown_outcome', next_attempt_at: null },
    });
    built.clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    for (const replayed of [undefined, 'true']) {
      const response = await built.app.inject(resend(id, {}, key));
      expect(paymentOf(response)).toMatchObject({ notification_status: 'sent' });
      expect(response.headers['idempotent-replayed']).toBe(replayed);
    }
    expect(built.calls).toHaveLength(1);
  });

  test('given what none accepted, and is pending now, is replayed', async () => {
    const built = await build();
    built.clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'phone_invalid' });
    const id = await pay(built);
    built.clients.Aldeamo.answer = built.clients.Twilio.answer = async () => refused;
    const other = { phone: '+573007654321' };
    expect(paymentOf(await built.app.inject(resend(id, other, key))).notification_status).toBe('pending');
    const again = await built.app.inject(resend(id, other, key));
    expect([again.statusCode, again.headers['idempotent-replayed']]).toEqual([200, 'true']);
  });
});

test('a resend is one line in the log, without the phone', async () => {
  const built = await build();
  const id = await pay(built);
  await built.app.inject(resend(id, { phone: '+573007654321', provider: 'Twilio' }));
  expect(built.lines.filter(({ msg }) => msg === 'operator action')).toMatchObject([
    {
      ...{ payment_id: id, action: 'resend', by: null, reason: 'the customer called', provider: 'Twilio' },
      ...{ notification_status: 'sent', outcome: 'accepted' },
    },
  ]);
});

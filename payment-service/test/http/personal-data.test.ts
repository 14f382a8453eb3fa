import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test } from 'vitest';
import { newSuppression } from '../../src/domain/suppression.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { begin, body, build, hold, keyed, paymentOf, post, refused, resend } from '../fixture.ts';
import { customer } from '../store/customer.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

const phone = '+573001234567';
const message = 'Pago de Ana Gómez recibido';
const metadata = { email: 'ana@example.com' };
const ofAna = { ...body, customer_id: 'ana', phone, message, metadata, reference: 'order-1' };
const erase = (query = '') => ({ method: 'POST', url: `/customers/ana/erasure${query}` }) as const;
const data = (query = '') => ({ method: 'GET', url: `/customers/ana/data${query}` }) as const;
const putPhone = {
  method: 'PUT',
  url: '/customers/ana',
  headers: { 'content-type': 'application/json' },
  payload: JSON.stringify({ phone }),
} as const;

const nothing = {
  ...{ customer_id: 'ana', payments_erased: 0, payments_cancelled: 0, payments_in_progress: 0 },
  ...{ events_deleted: 0, answers_erased: 0, phone_erased: false, suppression_kept: false },
};
const at = { erased_at: expect.stringMatching(/^20.*Z$/) };

const personal = [phone, message, metadata.email, '4567'];
const foundIn = (stored: unknown) => personal.filter((text) => JSON.stringify(stored).includes(text));

describe('POST /customers/{customer_id}/erasure', () => {
  test('erases the phone, the payments and the stored responses, and cancels what is pending or held', async () => {
    const { app, store, clients, lines } = await build({ events: { recording: 'feed' } });
    await app.inject(putPhone);
    const sent = paymentOf(await app.inject(keyed('order-1', ofAna)));
    clients.Aldeamo.answer = clients.Twilio.answer = async () => refused;
    const pending = paymentOf(await app.inject(post(ofAna)));
    const ofBea = paymentOf(await app.inject(post({ ...ofAna, customer_id: 'bea' })));
    expect([sent.notification_status, pending.notification_status]).toEqual(['sent', 'pending']);

    const response = await app.inject(erase());
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({
      ...nothing,
      ...at,
      ...{
        payments_erased: 2,
        payments_cancelled: 1,
        events_deleted: 1,
        answers_erased: 1,
        phone_erased: true,
      },
    });
    const [bea, ...anas] = store.recorded();
    expect(foundIn(anas)).toEqual([]);
    expect(anas).toMatchObject([
      {
        ...{
          notification_status: 'cancelled',
          reason: 'erased',
          next_attempt_at: null,
          reference: 'order-1',
        },
        actions: [{ action: 'erase', by: null, reason: null }],
      },
      { notification_status: 'sent', reference: 'order-1' },
    ]);
    expect(bea).toMatchObject({ payment_id: ofBea.payment_id, phone, message, metadata });
    expect(await store.findPhone(customer('ana'))).toBeUndefined();
    const page = await store.readEvents({ after: undefined, limit: 10 });
    expect(page?.events.map(({ type, data: of }) => [type, JSON.parse(of).metadata])).toEqual([
      ['payment.notification.cancelled', {}],
    ]);
    expect(lines.filter(({ msg }) => msg === 'operator action')).toMatchObject([
      { action: 'erase', by: null, reason: null, notification_status: 'cancelled' },
    ]);
    expect(lines.find(({ msg }) => msg === 'customer erased')).toMatchObject({
      ...{ customer_id: 'ana', payments_erased: 2, payments_cancelled: 1, phone_erased: true },
    });
  });

  test('is idempotent, and counts nothing of a customer who is unknown or erased', async () => {
    const { app } = await build();
    expect((await app.inject(erase())).json()).toEqual({ ...nothing, ...at });
    await app.inject(post(ofAna));
    expect((await app.inject(erase())).json()).toMatchObject({ payments_erased: 1 });
    expect((await app.inject(erase())).json()).toEqual({ ...nothing, ...at });
  });

  test('answers a repeated request with the erased payment, and never pays again', async () => {
    const { app, store, calls } = await build();
    const request = keyed('order-1', ofAna);
    const first = paymentOf(await app.inject(request));
    await app.inject(erase());
    const again = [await app.inject(request), await app.inject(request)];
    for (const response of again) {
      expect(response.statusCode).toBe(201);
      expect(response.headers['idempotent-replayed']).toBe('true');
      expect(paymentOf(response)).toMatchObject({
        ...{ payment_id: first.payment_id, notification_status: 'sent', metadata: {} },
        notification: { message: null },
      });
      expect(foundIn(response.json())).toEqual([]);
    }
    expect((await app.inject(keyed('order-1', { ...ofAna, amount: 5 }))).statusCode).toBe(422);
    expect([store.recorded().length, calls.length]).toEqual([1, 1]);
    expect((await app.inject(erase())).json()).toMatchObject({ answers_erased: 0 });
  });

  test('answers a repeated request with the status of its first response', async () => {
    const { app, store } = await build();
    const request = keyed('order-1', ofAna, { prefer: 'respond-async' });
    expect((await app.inject(request)).statusCode).toBe(202);
    await expect.poll(() => store.recorded()[0]?.notification_status).toBe('sent');
    await app.inject(erase());
    const again = await app.inject(request);
    expect([again.statusCode, again.headers['preference-applied']]).toEqual([202, 'respond-async']);
  });

  test('leaves a notification whose attempt runs, says so, and erases it once it is repeated', async () => {
    const { app, store, clients } = await build();
    const { called, letGo } = hold(clients.Aldeamo);
    const paying = begin(app, keyed('order-1', ofAna));
    await called;
    expect((await app.inject(erase())).json()).toEqual({ ...nothing, ...at, payments_in_progress: 1 });
    letGo();
    expect(paymentOf(await paying)).toMatchObject({ notification_status: 'sent', notification: { message } });
    expect((await app.inject(erase())).json()).toMatchObject({
      ...{ payments_erased: 1, answers_erased: 1, payments_in_progress: 0 },
    });
    expect(foundIn(store.recorded())).toEqual([]);
  });

  test('is not undone by a late receipt, which still changes the status', async () => {
    const { app, store } = await build();
    const { payment_id, notification } = paymentOf(await app.inject(post(ofAna)));
    await app.inject(erase());
    const receipt = {
      ...{ provider: 'Aldeamo', message_id: notification.attempts[0]?.message_id },
      ...{ idempotency_key: `${payment_id}-1`, status: 'undelivered', reason: 'unreachable' },
    };
    const receive = (fields: object) =>
      app.inject({ method: 'POST', url: '/receipts', payload: { ...receipt, ...fields } });
    expect((await receive({})).statusCode).toBe(204);
    expect(store.recorded()).toMatchObject([{ notification_status: 'failed', reason: 'unreachable' }]);
    expect((await receive({ status: 'delivered' })).statusCode).toBe(204);
    expect(store.recorded()).toMatchObject([{ notification_status: 'delivered' }]);
    expect(foundIn(store.recorded())).toEqual([]);
  });

  test.each(['cancelled', 'failed'])('has no resend send what was %s', async (status) => {
    const { app, clients, calls } = await build();
    clients.Aldeamo.answer = clients.Twilio.answer = async () =>
      status === 'failed' ? { outcome: 'rejected', reason: 'phone_invalid' } : refused;
    const { payment_id } = paymentOf(await app.inject(post(ofAna)));
    await app.inject(erase());
    const made = calls.length;
    const retried = await app.inject(resend(payment_id, { phone: '+573009999999' }));
    expect([retried.statusCode, calls.length]).toEqual([409, made]);
  });

  test.each([
    ["the customer's", true],
    ["a payment's", false],
  ])('leaves the suppression of %s phone, and says so', async (_whose, isCustomers) => {
    const { app, store } = await build();
    if (isCustomers) await app.inject(putPhone);
    else await app.inject(post(ofAna));
    await store.putSuppression(
      newSuppression({ phone, source: 'opt_out', reason: 'STOP', provider: 'Twilio', payment_id: null }),
    );
    expect((await app.inject(erase())).json()).toMatchObject({ suppression_kept: true });
    expect(await store.findSuppression({ phone })).toBeDefined();
  });

  test('given a store that fails between two steps, responds 503, and is continued by a repetition', async () => {
    const memory = createMemoryStore({ leaseMs: 15_000 });
    let steps = 0;
    const { app, lines } = await build({
      store: {
        ...memory,
        async eraseNext(...step) {
          steps += 1;
          if (steps === 2)
            throw new StoreUnavailable('the store does not answer', {
              cause: new Error('database is locked'),
            });
          return memory.eraseNext(...step);
        },
      },
    });
    for (let number = 0; number < 150; number += 1)
      await memory.insert(
        paymentNumber(number, { customer_id: 'ana', phone, message, notification_status: 'sent' }),
      );
    const interrupted = await app.inject(erase());
    expect([interrupted.statusCode, interrupted.headers['retry-after']]).toEqual([503, '1']);
    expect(problemSchema.parse(interrupted.json()).detail).toContain('Repeat the request');
    expect(lines.map(({ msg }) => msg)).toContain('a request was refused during an outage');
    expect(memory.recorded().filter((payment) => payment.message === null)).toHaveLength(100);
    expect((await app.inject(erase())).json()).toMatchObject({ payments_erased: 50 });
    expect(foundIn(memory.recorded())).toEqual([]);
  });

  test('given a worker that claims a notification before it is cancelled, leaves it to the worker', async () => {
    const memory = createMemoryStore({ leaseMs: 15_000 });
    const waiting = paymentNumber(1, {
      ...{
        customer_id: 'ana',
        phone,
        message,
        next_attempt_at: new Date(Date.now() + 3_600_000).toISOString(),
      },
    });
    const { app } = await build({
      store: {
        ...memory,
        async amend(payment, before) {
          await memory.claim(before);
          return memory.amend(payment, before);
        },
      },
    });
    await memory.insert(waiting);
    expect((await app.inject(erase())).json()).toEqual({ ...nothing, ...at, payments_in_progress: 1 });
    expect(memory.recorded()).toMatchObject([{ notification_status: 'pending', phone, message }]);
  });

  test.each([
    ['an unknown query field', '?clients=shop', 'clients'],
    ['a client that can have no name', '?client=a%20b', 'client'],
  ])('given %s, responds 400 and names it', async (_what, query, path) => {
    const { app } = await build();
    const response = await app.inject(erase(query));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors?.map((error) => error.path)).toEqual([path]);
  });
});

describe('GET /customers/{customer_id}/data', () => {
  test('exports the phone, its suppression and the payments with text and phone, and logs none of it', async () => {
    const { app, store, lines } = await build();
    await app.inject(putPhone);
    const { payment_id } = paymentOf(await app.inject(post(ofAna)));
    await app.inject(post({ ...ofAna, customer_id: 'bea' }));
    const given = {
      phone,
      source: 'admin',
      reason: 'asked us to',
      provider: null,
      payment_id: null,
    } as const;
    const { suppression } = await store.putSuppression(newSuppression(given));
    const response = await app.inject(data());
    expect([response.statusCode, response.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(response.json()).toEqual({
      ...{ customer_id: 'ana', phone, suppressions: [suppression], has_more: false },
      payments: [expect.objectContaining({ payment_id, phone, metadata, reference: 'order-1' })],
    });
    expect(response.json().payments[0].notification).toMatchObject({
      message,
      attempts: [{ provider: 'Aldeamo', phone_last4: '4567', deliveries: [] }],
    });
    expect(foundIn(lines)).toEqual([]);
  });

  test('is paged, newest first', async () => {
    const { app, store } = await build();
    for (const number of [1, 2, 3]) await store.insert(paymentNumber(number, { customer_id: 'ana' }));
    const id = (number: number) => paymentNumber(number).payment_id;
    const page = async (query: string) => {
      const { payments, has_more } = (await app.inject(data(query))).json();
      return [payments.map((each: { payment_id: string }) => each.payment_id), has_more];
    };
    expect(await page('?limit=2')).toEqual([[id(3), id(2)], true]);
    expect(await page(`?limit=2&starting_after=${id(2)}`)).toEqual([[id(1)], false]);
  });

  test('given a customer who is unknown or erased, has nothing that is personal', async () => {
    const { app } = await build();
    const empty = { customer_id: 'ana', phone: null, suppressions: [], payments: [], has_more: false };
    expect((await app.inject(data())).json()).toEqual(empty);
    await app.inject(post(ofAna));
    await app.inject(erase());
    const { payments } = (await app.inject(data())).json();
    expect(payments).toHaveLength(1);
    expect(foundIn(payments)).toEqual([]);
  });

  test.each([
    'pmt_unknown',
    paymentNumber(2).payment_id,
  ])('given a cursor that is none of the customer, %s, responds 400', async (id) => {
    const { app, store } = await build();
    await store.insert(paymentNumber(2, { customer_id: 'bea' }));
    const response = await app.inject(data(`?starting_after=${id}`));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([
      { path: 'starting_after', message: 'must be the id of a payment of this customer' },
    ]);
  });
});

import type { InjectOptions } from 'fastify';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test, vi } from 'vitest';
import { body, build, paymentOf, post } from '../fixture.ts';

const customer = (method: 'PUT' | 'GET' | 'DELETE', id: string, payload?: unknown): InjectOptions => ({
  method,
  url: `/customers/${encodeURIComponent(id)}`,
  ...(payload !== undefined && {
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(payload),
  }),
});
const phone = '+573001234567';
const phoneUnknown: Outcome = { outcome: 'rejected', reason: 'phone_unknown' };

describe('/customers/{customer_id}', () => {
  test('stores, returns, replaces and deletes a phone', async () => {
    const { app } = await build();
    expect((await app.inject(customer('GET', '1'))).statusCode).toBe(404);
    const stored = await app.inject(customer('PUT', '1', { phone }));
    expect([stored.statusCode, stored.headers.location]).toEqual([201, '/customers/1']);
    expect(stored.json()).toEqual({ customer_id: '1', phone });
    const replaced = await app.inject(customer('PUT', '1', { phone: '+573009999999' }));
    expect([replaced.statusCode, replaced.headers.location]).toEqual([200, undefined]);
    expect((await app.inject(customer('GET', '1'))).json()).toEqual({
      customer_id: '1',
      phone: '+573009999999',
    });
    const deleted = await app.inject(customer('DELETE', '1'));
    expect([deleted.statusCode, deleted.body]).toEqual([204, '']);
    expect((await app.inject(customer('DELETE', '1'))).statusCode).toBe(404);
    expect((await app.inject(customer('PUT', '1', { phone }))).statusCode).toBe(201);
  });

  test.each([
    'a/b',
    'ñ'.repeat(255),
    '1 2',
    '%',
  ])('given the id %j, stores and returns its phone', async (id) => {
    const { app } = await build();
    const { statusCode, headers } = await app.inject(customer('PUT', id, { phone }));
    expect(statusCode).toBe(201);
    expect((await app.inject(String(headers.location))).json()).toEqual({ customer_id: id, phone });
    expect((await app.inject(customer('GET', id))).json()).toEqual({ customer_id: id, phone });
  });

  test.each<[string, InjectOptions, string]>([
    ['no body', customer('PUT', '1'), 'body'],
    ['no phone', customer('PUT', '1', {}), 'phone'],
    ['an invalid phone', customer('PUT', '1', { phone: 'abc' }), 'phone'],
    ['an unknown field', customer('PUT', '1', { phone, name: 'x' }), 'name'],
    ['an id of 256 characters', customer('PUT', 'x'.repeat(256), { phone }), 'customer_id'],
    ['a control character in the id', customer('GET', 'a\u0007'), 'customer_id'],
  ])('given %s, responds 400 and names the field', async (_name, request, path) => {
    const { app } = await build();
    const response = await app.inject(request);
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors?.map((error) => error.path)).toEqual([path]);
  });
});

describe('the recipient of an SMS', () => {
  test("is the payment's phone, else the customer's, else none", async () => {
    const { app, calls } = await build();
    await app.inject(post(body));
    await app.inject(customer('PUT', body.customer_id, { phone }));
    await app.inject(post(body));
    await app.inject(post({ ...body, phone: '+573009999999' }));
    expect(calls.map(({ request }) => request.phone)).toEqual([undefined, phone, '+573009999999']);
  });

  test.each([
    ['+57 300 123 4567', {}, phone],
    ['300 123 4567', {}, phone],
    ['(300) 123-4567', {}, phone],
    ['212 555 0100', { defaultCountry: 'US' }, '+12125550100'],
    ['+34 612 345 678', {}, '+34612345678'],
  ] as const)('given %j with the rules %j, is %s', async (given, rules, e164) => {
    const { app, calls } = await build({ rules });
    expect((await app.inject(post({ ...body, phone: given }))).statusCode).toBe(201);
    expect(calls[0]?.request.phone).toBe(e164);
  });

  test('given a provider that finds no phone, holds the notification, is ignored by the circuit, and sends once it is known', async () => {
    const { app, clients, calls } = await build({ bounds: { modeOf: () => null } });
    clients.Aldeamo.answer = async () => phoneUnknown;
    for (let n = 0; n < 5; n += 1) await app.inject(post(body));
    const held = paymentOf(await app.inject(post(body)));
    expect(held).toMatchObject({
      notification_status: 'held',
      notification: { reason: 'phone_unknown' },
    });
    expect(calls.every(({ provider }) => provider === 'Aldeamo')).toBe(true);
    expect((await app.inject('/health')).json().circuits.Aldeamo).toMatchObject({
      state: 'closed',
      failures: 0,
    });

    clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    await app.inject(customer('PUT', body.customer_id, { phone }));
    const find = async () => paymentOf(await app.inject(`/payments/${held.payment_id}`));
    await vi.waitFor(
      async () =>
        expect(await find()).toMatchObject({ notification_status: 'sent', notification: { reason: null } }),
      3000,
    );
    expect(calls.at(-1)?.request.phone).toBe(phone);
  });
});

describe('the text', () => {
  test.each([
    ['Pago recibido', {}, { message: 'Pago recibido', encoding: 'GSM-7', segments: 1 }],
    ['¿Señor Muñoz? Pagó 5€', {}, { message: '¿Señor Muñoz? Pagó 5€', encoding: 'UCS-2', segments: 1 }],
    ['Pagó el café', { transliterate: true }, { message: 'Pago el café', encoding: 'GSM-7', segments: 1 }],
    ['a'.repeat(160), {}, { encoding: 'GSM-7', segments: 1 }],
    ['a'.repeat(161), {}, { encoding: 'GSM-7', segments: 2 }],
    ['á'.repeat(71), {}, { encoding: 'UCS-2', segments: 2 }],
    ['á'.repeat(71), { transliterate: true }, { message: 'a'.repeat(71), encoding: 'GSM-7', segments: 1 }],
    ['漢'.repeat(70), { transliterate: true }, { encoding: 'UCS-2', segments: 1 }],
  ])('given %j with the rules %j, is %j', async (message, rules, expected) => {
    const { app, calls } = await build({ rules });
    const { notification } = paymentOf(await app.inject(post({ ...body, message })));
    expect(notification).toMatchObject(expected);
    expect(calls[0]?.request.message).toBe(notification.message);
  });

  test.each([
    true,
    false,
  ])('given only what shows nothing, is refused with a 400 (transliterated: %j)', async (transliterate) => {
    const { app, calls } = await build({ rules: { transliterate } });
    for (const message of [
      '\u200b',
      '\u200e \u2060',
      '\u00a0\u3164',
      '\u2800',
      '\ufe0f',
      '\u00ad\n',
      '\u0301\u0301',
      ' \u0338',
      '\ufffc',
    ]) {
      const refused = await app.inject(post({ ...body, message }));
      expect(refused.statusCode).toBe(400);
      expect(refused.json().errors).toEqual([{ path: 'message', message: 'must not be blank' }]);
    }
    expect(calls).toEqual([]);
  });

  test('given more than 1600 characters once it is transliterated, is refused, because no provider takes it', async () => {
    const { app } = await build({ rules: { transliterate: true, maxSegments: 100 } });
    expect((await app.inject(post({ ...body, message: '…'.repeat(533) }))).statusCode).toBe(201);
    const refused = await app.inject(post({ ...body, message: '…'.repeat(534) }));
    expect(refused.statusCode).toBe(400);
    expect(refused.json().errors).toEqual([
      { path: 'message', message: 'must have at most 1600 characters' },
    ]);
  });

  test.each([
    ['invisible characters', `${'\u200b'.repeat(1700)}a`, 'a'],
    ['letters with their marks apart', 'a\u0301'.repeat(900), 'a'.repeat(900)],
    ['16 000 characters', `${'\u200b'.repeat(15_999)}a`, 'a'],
  ])('given %s, has the length of what is sent', async (_what, message, sent) => {
    const { app } = await build({ rules: { transliterate: true } });
    const { notification } = paymentOf(await app.inject(post({ ...body, message })));
    expect(notification.message).toBe(sent);
    const plain = await build();
    expect((await plain.app.inject(post({ ...body, message }))).statusCode).toBe(400);
  });

  test.each([
    ['1601 letters', 'a'.repeat(1601), 'must have at most 1600 characters'],
    ['more than 16 000 characters', `${'\u200b'.repeat(16_000)}a`, 'must have at most 1600 characters'],
    ['a control character that the table of Twilio drops', 'a\u0003', 'must not contain control characters'],
  ])('given %s, is refused though it would be transliterated', async (_what, text, message) => {
    const { app } = await build({ rules: { transliterate: true } });
    const refused = await app.inject(post({ ...body, message: text }));
    expect([refused.statusCode, refused.json().errors]).toEqual([400, [{ path: 'message', message }]]);
  });

  test('given more segments than the limit, is refused with a 400', async () => {
    const { app, calls } = await build({ rules: { maxSegments: 2 } });
    expect((await app.inject(post({ ...body, message: 'a'.repeat(306) }))).statusCode).toBe(201);
    const refused = await app.inject(post({ ...body, message: 'a'.repeat(307) }));
    expect(refused.statusCode).toBe(400);
    expect(refused.json().errors).toEqual([{ path: 'message', message: 'must take at most 2 SMS' }]);
    expect(calls).toHaveLength(1);
  });
});

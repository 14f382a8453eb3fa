import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, pay } from './http.ts';
import { linesAbout, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

let trio: Trio;
let payments: string;
beforeAll(async () => {
  trio = await startProcesses();
  payments = trio.url('payment-service');
});
afterAll(() => trio[Symbol.asyncDispose]());

test('POST /payments sends by Aldeamo alone, and GET returns the same payment', async () => {
  const { status, headers, body } = await pay(payments, {
    amount: 100.0,
    customer_id: '123',
    message: 'Pago recibido',
  });

  expect(status).toBe(201);
  expect(body).toMatchObject({
    status: 'completed',
    amount: 100,
    currency: 'COP',
    customer_id: '123',
    notification_service: 'Aldeamo',
    notification_status: 'sent',
    possible_duplicate: false,
    notification: { message: 'Pago recibido', next_attempt_at: null },
  });
  expect(body.notification.attempts).toHaveLength(1);
  expect((await call('GET', payments + headers.get('location'))).body).toEqual(body);
  expect((await call('GET', `${payments}/payments?limit=1`)).body).toEqual({ data: [body], has_more: false });

  const ledger = (url: string) => call('GET', `${url}/sandbox/messages?customer_id=123`);
  expect((await ledger(trio.url('aldeamo-service'))).body).toEqual({
    data: [
      {
        message_id: body.notification.attempts[0]?.message_id,
        customer_id: '123',
        idempotency_key: `${body.payment_id}-1`,
        accepted_at: expect.any(String),
        delivery: null,
      },
    ],
  });
  expect((await ledger(trio.url('twilio-service'))).body).toEqual({ data: [] });
});

test('given 20 concurrent payments of one customer, POST /payments returns 20 ids', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => pay(payments, { customer_id: 'same' })));
  expect(new Set(answers.map(({ body }) => body.payment_id)).size).toBe(20);
});

test('one log line has the provider, outcome and duration of a payment; none has a text or a phone', async () => {
  const secrets = { message: 'un texto muy privado', phone: '+573001234567' };
  const { body } = await pay(payments, { customer_id: 'logged', ...secrets });
  await call('POST', `${payments}/payments`, { amount: -1, customer_id: 'logged', ...secrets });

  const lines = await linesAbout(trio, body.payment_id, 2);
  expect(lines.filter(({ name }) => name === 'payment-service')).toEqual([
    expect.objectContaining({ provider: 'Aldeamo', outcome: 'accepted', duration_ms: expect.any(Number) }),
  ]);
  for (const service of ['payment-service', 'aldeamo-service', 'twilio-service'] as const) {
    const log = JSON.stringify(await trio.logs(service));
    expect(log).not.toContain('muy privado');
    expect(log).not.toContain('3001234567');
  }
});

test('given bad input, POST /payments returns a problem that names the field, stores nothing and sends nothing', async () => {
  const { status, headers, body } = await call('POST', `${payments}/payments`, {
    amount: 100.001,
    customer_id: 'refused',
  });

  expect(status).toBe(400);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({
    errors: [{ path: 'amount', message: 'must have at most 2 decimals in COP' }],
  });
  expect((await call('GET', `${payments}/payments?customer_id=refused`)).body).toMatchObject({ data: [] });
  const { body: ledger } = await call(
    'GET',
    `${trio.url('aldeamo-service')}/sandbox/messages?customer_id=refused`,
  );
  expect(ledger).toEqual({ data: [] });
});

test.each([
  'payment-service',
  'aldeamo-service',
  'twilio-service',
] as const)('%s serves the documentation of its API', async (service) => {
  const page = await fetch(`${trio.url(service)}/docs`);
  expect(page.headers.get('content-type')).toMatch('text/html');
  expect((await call('GET', `${trio.url(service)}/openapi.json`)).body).toMatchObject({ openapi: '3.1.0' });
});

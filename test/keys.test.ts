import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { call } from './http.ts';
import { startTrio } from './start-trio.ts';
import { serviceNames, type Trio } from './trio.ts';

/** The trio with all keys set, as it runs where other hosts can reach it. */

const keys = { client: 'key-of-the-shop-1', admin: 'key-of-the-admin-1', service: 'token-of-the-services' };
const as = (key: string) => ({ authorization: `Bearer ${key}` });
let trio: Trio;
let payments: string;
let aldeamo: string;

beforeAll(async () => {
  trio = await startTrio({
    API_KEYS: `shop:${keys.client}`,
    ADMIN_API_KEY: keys.admin,
    SERVICE_TOKEN: keys.service,
    ALLOW_ANONYMOUS: 'false',
  });
  payments = trio.url('payment-service');
  aldeamo = trio.url('aldeamo-service');
});
afterAll(() => trio[Symbol.asyncDispose]());

const payment = { amount: 100, customer_id: '123', message: 'Pago recibido' };
const pay = () => call<PaymentView>('POST', `${payments}/payments`, payment, as(keys.client));

test('given a client key, POST /payments sends by Aldeamo', async () => {
  const { status, body } = await pay();
  expect(status).toBe(201);
  expect(body).toMatchObject({ notification_service: 'Aldeamo', notification_status: 'sent' });
});

test('given no key or one of another role, POST /payments, /notify and /toggle-failure return 401', async () => {
  const sms = { message: 'Pago recibido', customer_id: '123' };
  const asked = await Promise.all([
    call('POST', `${payments}/payments`, payment),
    call('POST', `${aldeamo}/notify`, sms),
    call('POST', `${aldeamo}/notify`, sms, as(keys.client)),
    call('POST', `${aldeamo}/toggle-failure?failure_rate=1`),
  ]);
  expect(asked.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
});

test('payment-service sets the sandbox and forces a recovery for the admin key, and returns 403 to a client key', async () => {
  const breakIt = () => call('POST', `${payments}/sandbox/Aldeamo`, { failure_rate: 1 }, as(keys.admin));
  expect(await breakIt()).toMatchObject({ status: 200, body: { failure_rate: 1 } });
  expect((await pay()).body).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });

  await call('POST', `${payments}/sandbox/Aldeamo`, { failure_rate: 0 }, as(keys.admin));
  expect((await call('POST', `${payments}/force-recovery`, undefined, as(keys.client))).status).toBe(403);
  expect((await call('POST', `${payments}/force-recovery`, undefined, as(keys.admin))).status).toBe(200);
});

test('no log holds a key', async () => {
  const logs = await Promise.all(serviceNames.map((service) => trio.logs(service)));
  expect(logs.every((lines) => lines.length > 0)).toBe(true);
  for (const key of Object.values(keys)) expect(JSON.stringify(logs)).not.toContain(key);
});

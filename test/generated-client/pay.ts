import createClient from 'openapi-fetch';
import type { paths } from '../output/generated-client/payment-service.ts';

/** Pays with the client of the types that are generated from /openapi.json, and prints what each call returned: `node pay.ts URL`. */

const client = createClient<paths, 'application/json' | 'application/problem+json'>({
  baseUrl: process.argv[2] ?? '',
});

const created = await client.POST('/payments', {
  headers: { 'Idempotency-Key': 'order-1042' },
  body: { amount: '19.99', currency: 'USD', customer_id: '123', reference: 'order-1042' },
});
if (!created.data) throw new Error(created.error.detail);
const { payment_id, amount_minor, metadata } = created.data;
const minor: number = amount_minor;
const shop: string | undefined = metadata.shop;

const found = await client.GET('/payments/{payment_id}', { params: { path: { payment_id } } });
const reasons: (string | null)[] | undefined = found.data?.notification.attempts.map(({ reason }) => reason);

const page = await client.GET('/payments', { params: { query: { reference: 'order-1042', limit: 1 } } });
const missing = await client.GET('/payments/{payment_id}', { params: { path: { payment_id: 'none' } } });
const type: string | undefined = missing.error?.type;

// What the API does not have, the types do not have either.
// @ts-expect-error a payment without its customer
await client.POST('/payments', { body: { amount: 1 } });
// @ts-expect-error no such path
await client.GET('/payment');
// @ts-expect-error no such status
created.data.notification_status === 'lost';

const printed = { minor, shop: shop ?? null, reasons, listed: page.data?.data.length, type };
process.stdout.write(JSON.stringify(printed));

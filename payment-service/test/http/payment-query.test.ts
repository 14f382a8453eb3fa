import { describe, expect, test } from 'vitest';
import type { Payment } from '../../src/domain/payment.ts';
import { build } from '../fixture.ts';
import { paymentNumber } from '../store/store-contract.ts';

const hour = 3_600_000;
const now = Date.now();
const ago = (ms: number) => new Date(now - ms).toISOString();
const madeAgo = (number: number, ms: number, fields: Partial<Payment> = {}) =>
  paymentNumber(number, {
    payment_id: `pmt_${(now - ms).toString(16).padStart(12, '0')}${number}`,
    created_at: ago(ms),
    ...fields,
  });

const payments = [
  madeAgo(1, 4 * hour, {
    reference: 'order-1',
    client: 'shop',
    notification_status: 'failed',
    reason: 'expired',
  }),
  madeAgo(2, 3 * hour, { notification_service: 'Twilio', notification_status: 'sent', customer_id: 'ana' }),
  madeAgo(3, 2 * hour, { notification_status: 'held', reason: 'phone_unknown', customer_id: 'ana' }),
  madeAgo(4, hour, { reference: 'order-1', notification_service: 'Aldeamo', notification_status: 'sent' }),
];

async function listing() {
  const { app, store } = await build();
  for (const payment of payments) await store.insert(payment);
  return async (query: Record<string, string> | string) => {
    const response = await app.inject(`/payments?${new URLSearchParams(query)}`);
    return { status: response.statusCode, body: response.json(), vary: response.headers.vary };
  };
}

describe('GET /payments', () => {
  test.each<[query: string, numbers: number[]]>([
    ['', [4, 3, 2, 1]],
    ['reference=order-1', [4, 1]],
    ['client=shop', [1]],
    ['customer_id=ana', [3, 2]],
    ['notification_status=held', [3]],
    ['notification_status=failed&notification_status=held', [3, 1]],
    ['notification_status=held&notification_status=held', [3]],
    ['notification_service=Twilio', [2]],
    ['reason=expired', [1]],
    ['possible_duplicate=true', []],
    [`created_after=${ago(3 * hour)}`, [4, 3, 2]],
    [`created_before=${ago(3 * hour)}`, [1]],
    [`created_after=${ago(3 * hour)}&created_before=${ago(hour)}&possible_duplicate=false`, [3, 2]],
    ['notification_service=Aldeamo&reference=order-1', [4]],
    [`notification_service=Aldeamo&created_after=${ago(30 * 24 * hour)}`, [4]],
    [`starting_after=${payments[2]?.payment_id}`, [2, 1]],
    [`ending_before=${payments[1]?.payment_id}`, [4, 3]],
    [`ending_before=${payments[1]?.payment_id}&limit=1`, [3]],
  ])('given %s, returns the payments that match', async (query, numbers) => {
    const list = await listing();
    const { status, body, vary } = await list(query);
    expect(status).toBe(200);
    expect(body.data.map(({ amount_minor }: Payment) => amount_minor)).toEqual(numbers);
    expect(vary).toBe('accept');
  });

  test('takes a time of any offset', async () => {
    const list = await listing();
    const inBogota = new Date(now - 3 * hour - 5 * hour).toISOString().replace('Z', '-05:00');
    const { body } = await list({ created_before: inBogota });
    expect(body.data).toHaveLength(1);
  });

  test.each<[string, Record<string, string> | string, Record<string, string>]>([
    [
      'an unknown filter',
      'phone=1&state=sent',
      { phone: 'is not a known field', state: 'is not a known field' },
    ],
    [
      'both cursors',
      'starting_after=a&ending_before=b',
      {
        starting_after: 'must not come with `ending_before`',
        ending_before: 'must not come with `starting_after`',
      },
    ],
    [
      'a range that ends before it begins, and one that is empty',
      { created_after: '2026-02-01T00:00:00Z', created_before: '2026-02-01T00:00:00Z' },
      { created_before: 'must be later than `created_after`' },
    ],
    [
      'filters that are wrong, each of them',
      'notification_status=sent&notification_status=lost&notification_service=Other&possible_duplicate=1&created_after=today&reason=&limit=0',
      {
        limit: 'must be a whole number from 1 to 100',
        notification_status: 'must be one of pending, held, sent, delivered, failed, cancelled',
        notification_service: 'must be one of Aldeamo, Twilio',
        reason: 'must not be empty',
        possible_duplicate: 'must be true or false',
        created_after: 'must be a time such as 2026-01-31T12:00:00-05:00 (RFC 3339)',
      },
    ],
    [
      'a time that a database cannot store',
      { created_before: '0000-01-01T00:00:00Z' },
      { created_before: 'must be between the years 1970 and 9999' },
    ],
    [
      'the cursor of another list',
      `customer_id=ana&starting_after=${payments[0]?.payment_id}`,
      { starting_after: 'must be the id of a payment of this list' },
    ],
    [
      'a cursor that is no payment',
      'ending_before=pmt_1',
      { ending_before: 'must be the id of a payment of this list' },
    ],
    ['a filter twice', 'reason=a&reason=b', { reason: 'must be a single string' }],
  ])('given %s, responds 400 that names each', async (_name, query, expected) => {
    const list = await listing();
    const { status, body } = await list(query);
    expect(status).toBe(400);
    expect(Object.fromEntries(body.errors.map(({ path, message }: never) => [path, message]))).toEqual(
      expected,
    );
  });

  test.each([
    'possible_duplicate=false',
    'notification_service=Aldeamo',
    `notification_service=Aldeamo&created_after=${ago(32 * 24 * hour)}`,
    `notification_service=Aldeamo&created_before=${ago(hour)}`,
    'notification_service=Aldeamo&created_after=2026-01-01T00:00:00Z&created_before=2026-02-01T00:00:01Z',
  ])('given %s, responds 400 that says what to add', async (query) => {
    const list = await listing();
    const { status, body } = await list(query);
    expect(status).toBe(400);
    const [path] = query.split('=');
    expect(body.errors).toEqual([
      {
        path,
        message: expect.stringMatching(/^must come with a range of at most 31 days .* or with one of/),
      },
    ]);
  });

  test('given a range of 31 days, takes a filter without an index', async () => {
    const list = await listing();
    const { status } = await list(
      'notification_service=Aldeamo&created_after=2026-01-01T00:00:00Z&created_before=2026-02-01T00:00:00Z',
    );
    expect(status).toBe(200);
  });
});

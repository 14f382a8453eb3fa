import fc from 'fast-check';
import { providers } from 'service-kit/contract/notification.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Attempt, notificationStatusSchema, type Payment } from '../../src/domain/payment.ts';
import type { PaymentFilters, PaymentPage, PaymentQuery, Store } from '../../src/store/store.ts';
import { createMemoryStore } from './memory-store.ts';
import { paymentNumber } from './store-contract.ts';

const startedAt = Date.parse('2026-03-01T00:00:00Z');
const secondsLater = (seconds: number) => new Date(startedAt + seconds * 1000).toISOString();

/** One made at this second. Its id has the time of a clock that is `ahead` seconds ahead. */
function madeAt(second: number, fields: Partial<Payment> = {}, ahead = 0): Payment {
  const ms = (startedAt + (second + ahead) * 1000).toString(16).padStart(12, '0');
  const payment_id = `pmt_${ms}7${String(second).padStart(19, '0')}`;
  return paymentNumber(0, { payment_id, created_at: secondsLater(second), ...fields });
}

const accepted: Attempt = {
  provider: 'Aldeamo',
  outcome: 'accepted',
  reason: null,
  message_id: 'sms-1',
  started_at: '2026-03-01T00:00:00.000Z',
  duration_ms: 7,
  mode: null,
  phone_last4: null,
  deliveries: [],
};
const twice = [accepted, { ...accepted, provider: 'Twilio' as const }];

const pick = <Value>(values: readonly Value[], number: number) =>
  values[Math.floor(number) % values.length] as Value;
const statuses = notificationStatusSchema.options;
const reasons = [null, null, 'opted_out', 'expired'];
const references = [null, 'order-1', 'order-2'];
const clients = [null, 'shop', 'portal'];
const customers = ['ana', 'bea'];

/** Each value of each filter with those of the others. */
const payments = Array.from({ length: 600 }, (_, n) =>
  madeAt(n, {
    notification_status: pick(statuses, n),
    notification_service: pick([null, ...providers], n / 6),
    reason: pick(reasons, n / 7),
    reference: pick(references, n / 11),
    client: pick(clients, n / 13),
    customer_id: pick(customers, n / 2),
    attempts: n % 5 === 0 ? twice : [],
  }),
);

/** What is in use by `filters`, as a query. */
const anyFilters: fc.Arbitrary<PaymentFilters> = fc.record(
  {
    client: fc.constantFrom('shop', 'portal', 'none'),
    customer_id: fc.constantFrom(...customers, 'none'),
    reference: fc.constantFrom('order-1', 'order-2', 'none'),
    notification_status: fc.uniqueArray(fc.constantFrom(...statuses), { minLength: 1 }),
    notification_service: fc.constantFrom(...providers),
    reason: fc.constantFrom('opted_out', 'expired', 'none'),
    possible_duplicate: fc.boolean(),
    created_after: fc.integer({ min: -10, max: 610 }).map(secondsLater),
    created_before: fc.integer({ min: -10, max: 610 }).map(secondsLater),
  },
  { requiredKeys: [] },
);
const anyQuery: fc.Arbitrary<PaymentQuery> = fc
  .tuple(
    anyFilters,
    fc.integer({ min: 1, max: 30 }),
    fc.constantFrom(undefined, 'starting_after' as const, 'ending_before' as const),
    fc.constantFrom(...payments.map(({ payment_id }) => payment_id), 'pmt_unknown'),
  )
  .map(([filters, limit, cursor, id]) => ({ ...filters, limit, ...(cursor && { [cursor]: id }) }));

/** The part of the store's contract that is about finding payments. `open` opens an empty store. */
export function describeFinding(name: string, open: (leaseMs: number) => Store | Promise<Store>): void {
  describe(`${name}: the list of payments`, () => {
    let store: Store;
    const memory = createMemoryStore({ leaseMs: 10_000 });
    beforeAll(async () => {
      store = await open(10_000);
      for (const each of [store, memory]) await Promise.all(payments.map((payment) => each.insert(payment)));
    });
    afterAll(() => store.close());

    test('is that of the store in memory, whatever the filters and the cursor', { timeout: 60_000 }, () =>
      fc.assert(
        fc.asyncProperty(anyQuery, async (query) => {
          expect(await store.list(query)).toStrictEqual(await memory.list(query));
        }),
        { numRuns: 300 },
      ),
    );

    test.each<[name: string, filters: PaymentFilters, matches: (payment: Payment) => boolean]>([
      ['a client', { client: 'shop' }, ({ client }) => client === 'shop'],
      ['a reference', { reference: 'order-1' }, ({ reference }) => reference === 'order-1'],
      [
        'several statuses',
        { notification_status: ['failed', 'held'] },
        ({ notification_status }) => ['failed', 'held'].includes(notification_status),
      ],
      [
        'a provider',
        { notification_service: 'Twilio' },
        ({ notification_service }) => notification_service === 'Twilio',
      ],
      ['a reason', { reason: 'expired' }, ({ reason }) => reason === 'expired'],
      ['possible duplicates', { possible_duplicate: true }, ({ attempts }) => attempts.length === 2],
      ['no duplicates', { possible_duplicate: false }, ({ attempts }) => attempts.length === 0],
      [
        'a range of time',
        { created_after: secondsLater(100), created_before: secondsLater(200) },
        ({ created_at }) => created_at >= secondsLater(100) && created_at < secondsLater(200),
      ],
      [
        'all filters at once',
        {
          client: 'shop',
          customer_id: 'bea',
          notification_status: ['sent', 'failed', 'pending'],
          created_after: secondsLater(13),
        },
        ({ client, customer_id, notification_status, created_at }) =>
          client === 'shop' &&
          customer_id === 'bea' &&
          ['sent', 'failed', 'pending'].includes(notification_status) &&
          created_at >= secondsLater(13),
      ],
    ])('given %s, is those that match, in pages from either end', async (_name, filters, matches) => {
      const expected = payments.filter(matches).toReversed();
      expect(expected.length).toBeGreaterThan(10);
      expect(await older(filters)).toStrictEqual(expected);
      expect(await newer(filters, expected)).toStrictEqual(expected.slice(0, -1));
    });

    test('has payments whose clock was set back by up to ten seconds, and then they stand where their ids do', async () => {
      const ahead = [2000, 2001, 2002].map((second) => madeAt(second, { client: 'ahead' }, 10));
      await Promise.all(ahead.map((payment) => store.insert(payment)));
      const range = { created_after: secondsLater(2000), created_before: secondsLater(2002) };
      expect((await list({ ...range, limit: 9 })).payments).toStrictEqual([ahead[1], ahead[0]]);
    });

    test.each<[name: string, filters: PaymentFilters]>([
      ['a customer', { customer_id: 'ana' }],
      ['a reference', { reference: 'order-1' }],
      ['a client', { client: 'shop' }],
      ['a beginning', { created_after: secondsLater(301) }],
      ['an end', { created_before: secondsLater(300) }],
    ])('given %s, has no page at a payment of another list', async (_name, filters) => {
      const other = payments[300] as Payment;
      await expect(list({ ...filters, limit: 1 })).resolves.toMatchObject({ has_more: true });
      const strange = { ...other, customer_id: 'another', payment_id: `${other.payment_id}z` };
      const id = filters.customer_id ? await inserted(strange) : other.payment_id;
      expect(await store.list({ ...filters, limit: 1, starting_after: id })).toBeUndefined();
      expect(await store.list({ ...filters, limit: 1, ending_before: id })).toBeUndefined();
    });

    test('given a status that changes between two pages, goes on from where it was', async () => {
      const changing = [0, 1, 2, 3].map((n) =>
        madeAt(3000 + n, { client: 'changing', notification_status: 'held' }),
      );
      for (const payment of changing) await store.insert(payment);
      const held: PaymentFilters = { client: 'changing', notification_status: ['held'] };
      const first = await list({ ...held, limit: 2 });
      for (const payment of first.payments) await store.update({ ...payment, notification_status: 'sent' });
      const starting_after = first.payments[1]?.payment_id;
      const second = await list({ ...held, limit: 2, starting_after });
      expect([...first.payments, ...second.payments]).toStrictEqual(changing.toReversed());
      expect(await list({ ...held, limit: 2, ending_before: starting_after })).toEqual({
        payments: [],
        has_more: false,
      });
    });

    test('keeps up with what an update changes', async () => {
      const payment = madeAt(4000, { client: 'updated' });
      await store.insert(payment);
      const fields = {
        notification_status: 'failed',
        reason: 'no_way',
        notification_service: 'Twilio',
      } as const;
      const failed: Payment = { ...payment, ...fields, attempts: twice };
      await store.update(failed);
      const found = { payments: [failed], has_more: false };
      expect(await list({ reason: 'no_way', limit: 1 })).toStrictEqual(found);
      expect(await list({ client: 'updated', possible_duplicate: true, limit: 1 })).toStrictEqual(found);
      expect(await list({ client: 'updated', notification_status: ['pending'], limit: 1 })).toMatchObject({
        payments: [],
      });
    });

    test('is read to its end, where few of the payments that its index finds match the other filters', async () => {
      const many = Array.from({ length: 700 }, (_, n) =>
        madeAt(5000 + n, { reason: 'rare', client: n % 300 === 0 ? 'of-few' : 'of-many' }),
      );
      await Promise.all(many.map((payment) => store.insert(payment)));
      const few = many.filter(({ client }) => client === 'of-few').toReversed();
      const ofFew = { reason: 'rare', client: 'of-few' };
      expect(await list({ ...ofFew, limit: 2 })).toStrictEqual({ payments: few.slice(0, 2), has_more: true });
      expect(await list({ ...ofFew, limit: 9, ending_before: few[2]?.payment_id })).toStrictEqual({
        payments: few.slice(0, 2),
        has_more: false,
      });
      const none = { payments: [], has_more: false };
      expect(await list({ reason: 'rare', notification_status: ['sent'], limit: 1 })).toEqual(none);
    });

    async function inserted(payment: Payment): Promise<string> {
      await store.insert(payment);
      return payment.payment_id;
    }

    async function list(query: PaymentQuery): Promise<PaymentPage> {
      const page = await store.list(query);
      if (!page) throw new Error('there is no such page');
      return page;
    }

    /** All pages from the newest to the oldest. */
    async function older(filters: PaymentFilters): Promise<Payment[]> {
      const found: Payment[] = [];
      for (;;) {
        const starting_after = found.at(-1)?.payment_id;
        const page = await list({ ...filters, limit: 7, starting_after });
        found.push(...page.payments);
        if (!page.has_more) return found;
        expect(page.payments).toHaveLength(7);
      }
    }

    /** All pages from the oldest, which is the cursor of the first, to the newest. */
    async function newer(filters: PaymentFilters, expected: Payment[]): Promise<Payment[]> {
      const found: Payment[] = [];
      for (;;) {
        const ending_before = (found[0] ?? expected.at(-1))?.payment_id;
        const page = await list({ ...filters, limit: 7, ending_before });
        found.unshift(...page.payments);
        if (!page.has_more) return found;
        expect(page.payments).toHaveLength(7);
      }
    }
  });
}

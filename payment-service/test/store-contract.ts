import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Attempt, Payment } from '../src/payment.ts';
import { type PaymentPage, type PaymentQuery, type Store, StoreUnavailable } from '../src/store/store.ts';

/** What every implementation of the store must do. `open` opens an empty one; what it leaves behind is its own affair. */
export function describeStore(name: string, open: () => Store | Promise<Store>): void {
  describe(`${name}: the store`, () => {
    let store: Store;
    let isOpen = true;
    beforeEach(async () => {
      store = await open();
      isOpen = true;
    });
    afterEach(async () => {
      if (isOpen) await store.close();
    });

    describe('keeps every field', () => {
      test.each<[string, Partial<Payment>]>([
        ['a new payment', {}],
        ['a phone', { phone: '+573001234567' }],
        ['the largest amount', { amount_minor: Number.MAX_SAFE_INTEGER }],
        ['a customer of 255 characters', { customer_id: 'ñ'.repeat(255) }],
        ['an id that looks like SQL', { customer_id: `'; DROP TABLE payments; -- "%_\\` }],
        ['a taken notification', { notification_service: 'Twilio', notification_status: 'delivered' }],
        [
          'unicode, line breaks, no attempt and a due time',
          {
            notification: {
              message: 'Pago de $1 con éxito ✅\r\n\t👩‍👩‍👧 e\u0301 עברית 漢字 \u{10FFFF}',
              attempts: [],
              next_attempt_at: '2026-01-02T03:04:05.678Z',
            },
          },
        ],
        ['attempts, in their order', { notification: notificationWith(everyAttempt) }],
        ['more than nine attempts', { notification: notificationWith(manyAttempts) }],
      ])('%s', async (_name, fields) => {
        const payment = paymentNumber(1, fields);
        await store.insert(payment);
        await store.insert(paymentNumber(2)); // whose fields must not get mixed up with the first one's
        expect(await store.find(payment.payment_id)).toStrictEqual(payment);
        expect((await list({})).payments).toContainEqual(payment);
      });
    });

    test('finds nothing under an unknown id', async () => {
      await store.insert(paymentNumber(1));
      expect(await store.find('pmt_unknown')).toBeUndefined();
      expect(await store.find('')).toBeUndefined();
    });

    test('update ends the attempt that runs, adds others, and leaves the rest as it was', async () => {
      const [ended, running] = [everyAttempt[0] as Attempt, everyAttempt.at(-1) as Attempt];
      const before = paymentNumber(1, { phone: '+573001234567', notification: notificationWith([running]) });
      await store.insert(before);
      await store.insert(paymentNumber(2));
      const after: Payment = {
        ...before,
        notification_service: 'Twilio',
        notification_status: 'sent',
        notification: {
          ...before.notification,
          attempts: [
            {
              ...running,
              outcome: 'unknown',
              reason: 'deadline_passed',
              message_id: 'sms-2',
              duration_ms: 3000,
            },
            ended,
          ],
          next_attempt_at: '2026-01-02T03:04:05.678Z',
        },
      };
      await store.update(after);
      expect(await store.find(before.payment_id)).toStrictEqual(after);
      expect(await store.find(paymentNumber(2).payment_id)).toStrictEqual(paymentNumber(2));
      // Saved once more, with less: what is null again is null.
      const again: Payment = {
        ...after,
        notification_service: null,
        notification_status: 'pending',
        notification: { ...after.notification, next_attempt_at: null },
      };
      await store.update(again);
      expect(await store.find(before.payment_id)).toStrictEqual(again);
    });

    test('an update that is given right after the insert comes after it', async () => {
      const sent: Payment = { ...paymentNumber(1), notification_status: 'sent' };
      await Promise.all([store.insert(paymentNumber(1)), store.update(sent)]);
      expect(await store.find(sent.payment_id)).toStrictEqual(sent);
    });

    describe('lists', () => {
      const customers = ['ana', 'bea', 'ana'] as const;
      const statuses = ['pending', 'sent', 'failed', 'delivered'] as const;
      /** 25 payments, oldest first: their customers repeat by three, their statuses by four. */
      const all = Array.from({ length: 25 }, (_, index) =>
        paymentNumber(index + 1, {
          customer_id: customers[index % 3] ?? '',
          notification_status: statuses[index % 4] ?? 'pending',
          notification: notificationWith([{ ...(everyAttempt[0] as Attempt), message_id: `sms-${index}` }]),
        }),
      );
      const newestFirst = all.toReversed();
      // Not in the order of the ids: they alone say what is new.
      const insertAll = () =>
        Promise.all([...all.slice(10), ...all.slice(0, 10)].map((payment) => store.insert(payment)));

      test('nothing where there is nothing', async () => {
        expect(await list({})).toEqual({ payments: [], has_more: false });
      });

      test('newest first, each with its own attempts', async () => {
        await insertAll();
        expect(await list({ limit: 100 })).toStrictEqual({ payments: newestFirst, has_more: false });
      });

      test.each([
        { limit: 1, has_more: true },
        { limit: 24, has_more: true },
        { limit: 25, has_more: false },
        { limit: 26, has_more: false },
      ])('at most $limit of 25; has_more is $has_more', async ({ limit, has_more }) => {
        await insertAll();
        expect(await list({ limit })).toStrictEqual({ payments: newestFirst.slice(0, limit), has_more });
      });

      test.each<[string, Partial<PaymentQuery>, (payment: Payment) => boolean]>([
        ['everything', {}, () => true],
        ['of a customer', { customer_id: 'ana' }, ({ customer_id }) => customer_id === 'ana'],
        [
          'of a status',
          { notification_status: 'sent' },
          ({ notification_status }) => notification_status === 'sent',
        ],
        [
          'of both',
          { customer_id: 'ana', notification_status: 'pending' },
          ({ customer_id, notification_status }) =>
            customer_id === 'ana' && notification_status === 'pending',
        ],
      ])('%s, page by page, without a gap or a double', async (_name, filter, matches) => {
        await insertAll();
        const expected = newestFirst.filter(matches);
        for (const limit of [1, 2, 10]) expect(await pages({ ...filter, limit })).toStrictEqual(expected);
      });

      test('the next page is the same when newer payments have come in between', async () => {
        await insertAll();
        const first = await list({ limit: 10 });
        await store.insert(paymentNumber(26));
        const starting_after = first.payments.at(-1)?.payment_id;
        expect((await list({ limit: 10, starting_after })).payments).toStrictEqual(newestFirst.slice(10, 20));
      });

      test('a page may start after a payment that the filter leaves out', async () => {
        await insertAll();
        const starting_after = all[1]?.payment_id; // bea's; the only older one is ana's
        expect((await list({ customer_id: 'ana', starting_after })).payments).toStrictEqual([all[0]]);
      });

      test('nothing after the oldest, and nothing of an unknown customer', async () => {
        await insertAll();
        const nothing = { payments: [], has_more: false };
        expect(await list({ starting_after: all[0]?.payment_id })).toEqual(nothing);
        expect(await list({ customer_id: 'an' })).toEqual(nothing);
        expect(await list({ customer_id: 'ANA' })).toEqual(nothing);
      });

      test('no page after a payment that does not exist', async () => {
        await insertAll();
        expect(await store.list({ ...everything, starting_after: 'pmt_unknown' })).toBeUndefined();
      });
    });

    test('500 inserts at the same time are all there', async () => {
      const payments = Array.from({ length: 500 }, (_, index) => paymentNumber(index + 1));
      await Promise.all(payments.map((payment) => store.insert(payment)));
      expect(await pages({ limit: 100 })).toStrictEqual(payments.toReversed());
    });

    test('one bad write takes none of those down that came with it', async () => {
      const twice: Payment = {
        ...paymentNumber(2),
        customer_id: 'another',
        notification: notificationWith(everyAttempt),
      };
      const results = await Promise.allSettled([
        store.insert(paymentNumber(1)),
        store.insert(paymentNumber(2)),
        store.insert(twice),
        store.insert(paymentNumber(3)),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(results[2]).toMatchObject({ reason: expect.any(StoreUnavailable) });
      // Of the bad one there is nothing, not even its attempts.
      expect((await list({})).payments).toStrictEqual([3, 2, 1].map((number) => paymentNumber(number)));
    });

    test('check writes, and changes nothing', async () => {
      await store.insert(paymentNumber(1));
      await store.check();
      expect((await list({})).payments).toStrictEqual([paymentNumber(1)]);
    });

    test('close waits for the writes that were given before it', async () => {
      const writing = store.insert(paymentNumber(1));
      await close();
      await writing;
    });

    test.each<[string, () => Promise<unknown>]>([
      ['insert', () => store.insert(paymentNumber(2))],
      ['update', () => store.update(paymentNumber(1))],
      ['find', () => store.find(paymentNumber(1).payment_id)],
      ['list', () => store.list(everything)],
      ['check', () => store.check()],
    ])('after close %s rejects with StoreUnavailable', async (_name, operation) => {
      await store.insert(paymentNumber(1));
      await close();
      await expect(operation()).rejects.toBeInstanceOf(StoreUnavailable);
    });

    async function close(): Promise<void> {
      isOpen = false;
      await store.close();
    }

    async function list(query: Partial<PaymentQuery>): Promise<PaymentPage> {
      const page = await store.list({ ...everything, ...query });
      if (!page) throw new Error('there is no such page');
      return page;
    }

    /** All pages, one after the other, as a client goes through them. */
    async function pages(query: Partial<PaymentQuery>): Promise<Payment[]> {
      const payments: Payment[] = [];
      for (;;) {
        const page = await list({ ...query, starting_after: payments.at(-1)?.payment_id });
        payments.push(...page.payments);
        expect(new Set(payments.map(({ payment_id }) => payment_id)).size).toBe(payments.length); // else a cursor that goes back would never end
        if (!page.has_more) return payments;
        expect(page.payments).toHaveLength(query.limit ?? Number.NaN);
      }
    }
  });
}

export const everything: PaymentQuery = {
  limit: 100,
  starting_after: undefined,
  customer_id: undefined,
  notification_status: undefined,
};

/** A payment whose id is in the order of the numbers. */
export function paymentNumber(number: number, fields: Partial<Payment> = {}): Payment {
  return {
    payment_id: `pmt_${String(number).padStart(32, '0')}`,
    amount_minor: number,
    currency: 'COP',
    customer_id: '123',
    phone: null,
    created_at: '2026-01-01T00:00:00.000Z',
    notification_service: null,
    notification_status: 'pending',
    notification: notificationWith([]),
    ...fields,
  };
}

function notificationWith(attempts: Attempt[]): Payment['notification'] {
  return { message: 'Pago recibido', attempts, next_attempt_at: null };
}

const attempt = { message_id: null, started_at: '2026-01-01T00:00:00.000Z' };
/** One for each outcome; the last one still runs. */
const everyAttempt: Attempt[] = [
  { ...attempt, provider: 'Aldeamo', outcome: 'accepted', reason: null, message_id: 'sms-1', duration_ms: 7 },
  { ...attempt, provider: 'Twilio', outcome: 'rejected', reason: 'opted_out', duration_ms: 0 },
  { ...attempt, provider: 'Aldeamo', outcome: 'not_sent', reason: 'circuit_open', duration_ms: 0 },
  { ...attempt, provider: 'Twilio', outcome: 'unknown', reason: 'deadline_passed', duration_ms: 3000 },
  { ...attempt, provider: 'Aldeamo', outcome: null, reason: null, duration_ms: null },
];
const manyAttempts: Attempt[] = Array.from({ length: 12 }, (_, index) => ({
  ...attempt,
  provider: 'Aldeamo',
  outcome: 'not_sent',
  reason: `reason-${index}`,
  duration_ms: index,
}));

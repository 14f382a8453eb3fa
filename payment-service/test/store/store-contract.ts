import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import {
  type IdempotencyRecord,
  LeaseLost,
  type PaymentPage,
  type PaymentQuery,
  type Store,
  type StoredAnswer,
  StoreUnavailable,
} from '../../src/store/store.ts';

const leaseMs = 10_000;

/** What every implementation of the store must do. `open` opens an empty one; what it leaves behind is its own affair. */
export function describeStore(name: string, open: (leaseMs: number) => Store | Promise<Store>): void {
  describe(`${name}: the store`, () => {
    let store: Store;
    let isOpen = true;
    beforeEach(async () => {
      store = await open(leaseMs);
      isOpen = true;
    });
    afterEach(async () => {
      if (isOpen) await store.close();
    });

    describe('phones of customers', () => {
      test('are kept, replaced, and forgotten, each by its own customer', async () => {
        expect(await store.findPhone('1')).toBeUndefined();
        expect(await store.deletePhone('1')).toBe(false);
        await store.putPhone('1', '+573001234567');
        await store.putPhone('2', '+573009999999');
        await store.putPhone('1', '+573007777777');
        expect([await store.findPhone('1'), await store.findPhone('2')]).toEqual([
          '+573007777777',
          '+573009999999',
        ]);
        expect(await store.deletePhone('1')).toBe(true);
        expect([await store.findPhone('1'), await store.findPhone('2')]).toEqual([
          undefined,
          '+573009999999',
        ]);
      });
    });

    test("a new payment is kept with its own phone, else with its customer's, else with none", async () => {
      await store.putPhone('1', '+573001234567');
      const own = '+573009999999';
      const given = [
        paymentNumber(1, { customer_id: '1' }),
        paymentNumber(2, { customer_id: '1', phone: own }),
        paymentNumber(3, { customer_id: '2' }),
      ];
      const inserted = await Promise.all(given.map((payment) => store.insert(payment)));
      expect(inserted).toEqual([{ phone: '+573001234567' }, { phone: own }, { phone: null }]);
      const kept = await Promise.all(given.map(({ payment_id }) => store.find(payment_id)));
      expect(kept.map((payment) => payment?.phone)).toEqual(['+573001234567', own, null]);
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
            reason: null,
            encoding: 'UCS-2',
            segments: 2,
            message: 'Pago de $1 con éxito ✅\r\n\t👩‍👩‍👧 e\u0301 עברית 漢字 \u{10FFFF}',
            attempts: [],
            next_attempt_at: '2026-01-02T03:04:05.678Z',
          },
        ],
        [
          'a failed notification with its reason',
          {
            notification_status: 'failed',
            reason: 'expired',
          },
        ],
        [
          'what the outbox goes by',
          { expires_at: '2026-01-02T03:04:05.678Z', retries: 17, reopened: 2, fence: 4 },
        ],
        ['attempts, in their order', { attempts: everyAttempt }],
        ['more than nine attempts', { attempts: manyAttempts }],
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
      const before = paymentNumber(1, { phone: '+573001234567', attempts: [running] });
      await store.insert(before);
      await store.insert(paymentNumber(2));
      const after: Payment = {
        ...before,
        phone: '+573009999999',
        expires_at: '2030-01-02T03:04:05.678Z',
        retries: 3,
        notification_service: 'Twilio',
        notification_status: 'sent',
        reason: 'unknown_outcome',
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
      };
      await store.update(after);
      expect(await store.find(before.payment_id)).toStrictEqual(after);
      expect(await store.find(paymentNumber(2).payment_id)).toStrictEqual(paymentNumber(2));
      // Saved once more, with less: what is null again is null.
      const again: Payment = {
        ...after,
        notification_service: null,
        notification_status: 'pending',
        reason: null,
        next_attempt_at: null,
      };
      await store.update(again);
      expect(await store.find(before.payment_id)).toStrictEqual(again);
    });

    test('update brings the attempts up to date, told what they were before or not', async () => {
      const [ended, running] = [everyAttempt[0] as Attempt, everyAttempt.at(-1) as Attempt];
      const paymentWith = (...attempts: Attempt[]) => paymentNumber(1, { attempts: attempts });
      const accepted: Attempt = { ...running, outcome: 'accepted', message_id: 'sms-2', duration_ms: 7 };
      const [first, next, last] = [
        paymentWith(ended, running),
        paymentWith(ended, accepted, running),
        paymentWith(ended, accepted, { ...running, outcome: 'unknown', reason: 'interrupted' }),
      ];
      await store.insert(first);
      await store.update(next, undefined, first);
      expect(await store.find(next.payment_id)).toStrictEqual(next);
      await store.update(last);
      expect(await store.find(last.payment_id)).toStrictEqual(last);
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
          attempts: [{ ...(everyAttempt[0] as Attempt), message_id: `sms-${index}` }],
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
        attempts: everyAttempt,
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

    describe('what is due', () => {
      // The store goes by the clock. Only the clock is a fake: timers and the disk are as they are.
      const now = Date.parse('2026-03-01T12:00:00.000Z');
      beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date'] }));
      afterEach(() => void vi.useRealTimers());
      const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
      const at = (ms: number) => new Date(now + ms).toISOString();

      const scheduled = (number: number, dueInMs: number, fields: Partial<Payment> = {}) =>
        paymentNumber(number, {
          next_attempt_at: at(dueInMs),
          ...fields,
        });
      const claimed = async (limit = 100) =>
        (await store.claimDue(limit)).map(({ payment_id }) => numberOf(payment_id));

      test('is claimed as it was kept, attempts and all, under a fence that has grown', async () => {
        const payment = scheduled(1, -1, { phone: '+573001234567', retries: 2 });
        payment.attempts = everyAttempt.slice(0, -1);
        await store.insert(payment);
        expect(await store.claimDue(10)).toStrictEqual([{ ...payment, fence: 2 }]);
        expect(await store.find(payment.payment_id)).toStrictEqual({ ...payment, fence: 2 });
      });

      test.each<[what: string, payment: Payment, dueInMs: number]>([
        ['scheduled: when its time has come', scheduled(1, 5000), 5000],
        ['running: when the lease has run out', paymentNumber(1, { attempts: running() }), leaseMs],
        ['held: when it expires', paymentNumber(1, { expires_at: at(60_000), attempts: [] }), 60_000],
        [
          'scheduled for later than it expires: when it expires',
          scheduled(1, 60_000, { expires_at: at(40_000) }),
          40_000,
        ],
      ])('%s', async (_what, payment, dueInMs) => {
        await store.insert(payment);
        pass(dueInMs - 1);
        expect(await claimed()).toEqual([]);
        pass(1);
        expect(await claimed()).toEqual([1]);
      });

      test.each(['sent', 'delivered', 'failed'] as const)('%s: never', async (notification_status) => {
        await store.insert(paymentNumber(1, { notification_status, expires_at: at(-1) }));
        pass(10 * 365 * 24 * 60 * 60 * 1000);
        expect(await claimed()).toEqual([]);
      });

      // In another order than the ids, and given in yet another one.
      const dueOrder = [4, 2, 5, 1, 3];
      const insertOutOfOrder = () =>
        Promise.all(
          [1, 2, 3, 4, 5].map((number) =>
            store.insert(scheduled(number, 1000 * (dueOrder.indexOf(number) - 10))),
          ),
        );

      test('the longest first, and no more than asked for', async () => {
        await insertOutOfOrder();
        expect((await claimed(2)).toSorted()).toEqual([2, 4]);
        expect((await claimed(2)).toSorted()).toEqual([1, 5]);
        expect(await claimed(2)).toEqual([3]);
        expect(await claimed(2)).toEqual([]);
      });

      test('is claimed by one, until the lease has run out; each claim has a higher fence', async () => {
        await store.insert(scheduled(1, -1));
        const fences = async () => (await store.claimDue(10)).map(({ fence }) => fence);
        expect(await Promise.all([fences(), fences(), fences()])).toEqual([[2], [], []]);
        pass(leaseMs - 1);
        expect(await fences()).toEqual([]);
        pass(1);
        expect(await fences()).toEqual([3]);
        expect(await fences()).toEqual([]);
        pass(leaseMs);
        expect(await fences()).toEqual([4]);
      });

      test('an attempt that begins renews the lease', async () => {
        await store.insert(scheduled(1, -1));
        const [claim] = await store.claimDue(1);
        pass(leaseMs - 1);
        await store.update({ ...(claim as Payment), attempts: running() });
        pass(leaseMs - 1);
        expect(await claimed()).toEqual([]);
        pass(1);
        expect(await claimed()).toEqual([1]);
      });

      test('an end gives the lease back: what is scheduled is due then, and what is sent is not', async () => {
        await store.insert(scheduled(1, -2));
        await store.insert(scheduled(2, -1));
        const claims = await store.claimDue(2);
        const claimOf = (number: number) =>
          claims.find(({ payment_id }) => numberOf(payment_id) === number) as Payment;
        await store.update({
          ...claimOf(1),
          next_attempt_at: at(100),
        });
        await store.update({ ...claimOf(2), notification_status: 'sent' });
        pass(100);
        expect(await claimed()).toEqual([1]);
        pass(leaseMs);
        expect(await claimed()).toEqual([1]);
      });

      describe('under an old fence', () => {
        test('an update is refused, and changes nothing, neither attempts nor the kept answer', async () => {
          const payment = scheduled(1, -1);
          payment.attempts = [everyAttempt[2] as Attempt];
          const first = recordOf('key-1', payment);
          await store.insert(payment, first);
          await store.claimDue(1);
          pass(leaseMs);
          const [newer] = await store.claimDue(1);
          const late: Payment = {
            ...payment,
            notification_status: 'sent',
            notification_service: 'Aldeamo',
            attempts: [{ ...(everyAttempt[2] as Attempt), reason: 'changed' }, everyAttempt[0] as Attempt],
          };
          for (const fence of [1, 2, 4]) {
            await expect(
              store.update({ ...late, fence }, { status: 201, body: 'late' }),
            ).rejects.toBeInstanceOf(LeaseLost);
          }
          expect(await store.find(payment.payment_id)).toStrictEqual(newer);
          expect(await store.insert(paymentNumber(2), { ...first })).toEqual({ known: first });
          expect(await claimed()).toEqual([]); // the lease of the newer one holds
        });

        test('a refused update takes none of those down that came with it', async () => {
          await store.insert(scheduled(1, -1));
          await store.claimDue(1);
          const results = await Promise.allSettled([
            store.insert(paymentNumber(2)),
            store.update(scheduled(1, -1)),
            store.insert(paymentNumber(3)),
          ]);
          expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
          expect((await list({})).payments).toHaveLength(3);
        });
      });

      test('an update of a payment that does not exist is refused', async () => {
        await expect(store.update(paymentNumber(1))).rejects.toBeInstanceOf(LeaseLost);
        expect(await store.find(paymentNumber(1).payment_id)).toBeUndefined();
      });

      describe('claim', () => {
        test.each<[what: string, payment: Payment]>([
          ['failed', paymentNumber(1, { notification_status: 'failed' })],
          ['held', paymentNumber(1)],
          ['not due yet', scheduled(1, 60_000)],
          ['due', scheduled(1, -1)],
        ])('leases what is %s', async (_what, payment) => {
          await store.insert(payment);
          expect(await store.claim(payment)).toStrictEqual({ ...payment, fence: 2 });
          expect(await claimed()).toEqual([]);
          pass(leaseMs - 1);
          expect(await claimed()).toEqual([]);
          pass(1);
          expect(await claimed()).toEqual([1]);
        });

        test('is for one of many who have read the same', async () => {
          const payment = paymentNumber(1);
          await store.insert(payment);
          const results = await Promise.allSettled(Array.from({ length: 10 }, () => store.claim(payment)));
          expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
          for (const result of results)
            if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LeaseLost);
          expect((await store.find(payment.payment_id))?.fence).toBe(2);
        });

        test('is refused to who has read an older one, and to who names none', async () => {
          const payment = scheduled(1, -1);
          await store.insert(payment);
          await store.claimDue(1);
          await expect(store.claim(payment)).rejects.toBeInstanceOf(LeaseLost);
          await expect(store.claim(paymentNumber(2))).rejects.toBeInstanceOf(LeaseLost);
        });

        test('given an attempt that runs, is refused, also in the millisecond in which the attempt was stored', async () => {
          const payment = paymentNumber(1, { attempts: running() });
          await store.insert(payment);
          await expect(store.claim(payment)).rejects.toBeInstanceOf(LeaseLost);
          expect(await store.find(payment.payment_id)).toStrictEqual(payment);
        });
      });
    });

    describe('an idempotency key', () => {
      test('is kept with its payment: the second insert finds the first record, and inserts nothing', async () => {
        const first = recordOf('key-1', paymentNumber(1), { fingerprint: 'aaa' });
        expect(await store.insert(paymentNumber(1), first)).toStrictEqual({ phone: null });
        const second = recordOf('key-1', paymentNumber(2), { fingerprint: 'bbb', answer: someAnswer });
        expect(await store.insert(paymentNumber(2), second)).toStrictEqual({ known: first });
        expect((await list({})).payments).toStrictEqual([paymentNumber(1)]);
        expect(await store.find(paymentNumber(2).payment_id)).toBeUndefined();
      });

      test('of another name is another one, and without one there is none', async () => {
        const keys = ['key-1', 'KEY-1', 'key-1 ', undefined, undefined];
        for (const [number, key] of keys.entries()) {
          const payment = paymentNumber(number);
          const record = key === undefined ? undefined : recordOf(key, payment);
          expect(await store.insert(payment, record)).toStrictEqual({ phone: null });
        }
        expect((await list({})).payments).toHaveLength(5);
      });

      test('makes one payment of 50 inserts at the same time', async () => {
        const found = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            store.insert(paymentNumber(index), recordOf('key-1', paymentNumber(index))),
          ),
        );
        const { payments } = await list({});
        expect(payments).toHaveLength(1);
        const [payment] = payments as [Payment];
        expect(found.filter(({ known }) => known === undefined)).toHaveLength(1);
        expect(found.filter(({ known }) => known?.payment_id === payment.payment_id)).toHaveLength(49);
      });

      test('may have its answer from the beginning, to the byte', async () => {
        const record = recordOf('key-1', paymentNumber(1), { answer: someAnswer });
        await store.insert(paymentNumber(1), record);
        expect(await store.insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toStrictEqual({
          known: record,
        });
      });

      test('gets its answer with an update of its payment, and no other key does', async () => {
        const records = [1, 2].map((number) => recordOf(`key-${number}`, paymentNumber(number)));
        await store.insert(paymentNumber(1), records[0]);
        await store.insert(paymentNumber(2), records[1]);
        await store.update(paymentNumber(1));
        await store.update(paymentNumber(1), someAnswer);
        await store.update(paymentNumber(1)); // an update without an answer leaves it
        const found = async (key: string) =>
          (await store.insert(paymentNumber(3), recordOf(key, paymentNumber(3)))).known;
        expect(await found('key-1')).toStrictEqual({ ...records[0], answer: someAnswer });
        expect(await found('key-2')).toStrictEqual(records[1]);
      });

      test('keeps the first of its answers: a late one is told what is kept, and changes nothing else', async () => {
        const record = recordOf('key-1', paymentNumber(1));
        await store.insert(paymentNumber(1, { attempts: running() }), record);
        const { payment_id } = paymentNumber(1);
        const late = { status: 201, body: 'late' };
        expect(await store.storeAnswer(payment_id, someAnswer)).toEqual(someAnswer);
        expect(await store.storeAnswer(payment_id, late)).toEqual(someAnswer);
        expect(await store.insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toStrictEqual({
          known: { ...record, answer: someAnswer },
        });
        expect(await store.find(payment_id)).toStrictEqual(paymentNumber(1, { attempts: running() }));
        // Whose key is forgotten by now, or never had one.
        expect(await store.storeAnswer(paymentNumber(3).payment_id, late)).toEqual(late);
      });

      test('of a payment that can not be inserted is not kept', async () => {
        await store.insert(paymentNumber(1));
        const again = store.insert(paymentNumber(1), recordOf('key-1', paymentNumber(1)));
        await expect(again).rejects.toBeInstanceOf(StoreUnavailable);
        expect(await store.insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toEqual({
          phone: null,
        });
      });

      describe('is forgotten', () => {
        const now = Date.parse('2026-03-01T12:00:00.000Z');
        beforeEach(async () => {
          vi.useFakeTimers({ now, toFake: ['Date'] });
          for (const number of [1, 2, 3, 4, 5]) {
            await store.insert(paymentNumber(number), recordOf(`key-${number}`, paymentNumber(number)));
            vi.setSystemTime(Date.now() + 1000);
          }
        });
        afterEach(() => void vi.useRealTimers());
        /** Which of the keys are still known. It makes the others known again. */
        const known = async () => {
          const found = await Promise.all(
            [1, 2, 3, 4, 5].map((number) =>
              store.insert(paymentNumber(10 + number), recordOf(`key-${number}`, paymentNumber(10 + number))),
            ),
          );
          return found.flatMap(({ known }) => known?.key ?? []);
        };

        test('when it is older than a time, and younger ones are not; payments stay', async () => {
          expect(await store.deleteKeys(now + 2000, 100)).toBe(2);
          expect((await list({})).payments).toHaveLength(5);
          expect(await known()).toEqual(['key-3', 'key-4', 'key-5']);
        });

        test('at most so many at a time, the oldest first', async () => {
          expect(await store.deleteKeys(now + 10_000, 3)).toBe(3);
          expect(await known()).toEqual(['key-4', 'key-5']);
        });

        test('not at all where none is old', async () => {
          expect(await store.deleteKeys(now, 100)).toBe(0);
          expect(await known()).toHaveLength(5);
        });
      });
    });

    describe('text and phone', () => {
      const made = (day: number, fields: Partial<Payment> = {}) =>
        paymentNumber(day, {
          created_at: `2026-01-0${day}T00:00:00.000Z`,
          phone: '+573001234567',
          notification_status: 'sent',
          ...fields,
        });
      const before = Date.parse('2026-01-04T00:00:00.000Z');
      const isBlank = async (day: number) => {
        const payment = await store.find(made(day).payment_id);
        return payment?.message === null && payment.phone === null;
      };

      test('are blanked of what has ended and is older than a time, and the rest stays as it was', async () => {
        await store.insert(made(1));
        await store.insert(made(2, { notification_status: 'failed' }));
        await store.insert(made(3, { notification_status: 'pending' }));
        await store.insert(made(4));
        expect(await store.redact(before, 100)).toBe(2);
        expect(await Promise.all([1, 2, 3, 4].map(isBlank))).toEqual([true, true, false, false]);
        const old = made(1);
        expect(await store.find(old.payment_id)).toStrictEqual({
          ...old,
          phone: null,
          fence: old.fence + 1,
          message: null,
        });
        expect(await store.redact(before, 100)).toBe(0);
      });

      test('are blanked of at most so many at a time, the oldest first', async () => {
        for (const day of [3, 1, 2]) await store.insert(made(day));
        expect(await store.redact(before, 2)).toBe(2);
        expect(await Promise.all([1, 2, 3].map(isBlank))).toEqual([true, true, false]);
      });

      test('are not written again by one who has read them before', async () => {
        await store.insert(made(1));
        await store.redact(before, 1);
        await expect(store.update(made(1))).rejects.toBeInstanceOf(LeaseLost);
        await expect(store.claim(made(1))).rejects.toBeInstanceOf(LeaseLost);
        expect(await isBlank(1)).toBe(true);
      });

      test('are not blanked while somebody has the payment in hand', async () => {
        await store.insert(made(1));
        const claimed = await store.claim(made(1));
        expect(await store.redact(before, 1)).toBe(0);
        await store.update(claimed);
        expect(await store.redact(before, 1)).toBe(1);
      });

      test('a receipt that comes later is still taken down', async () => {
        await store.insert(made(1));
        await store.redact(before, 1);
        const found = (await store.find(made(1).payment_id)) as Payment;
        const { fence } = await store.claim(found);
        await store.update({ ...found, fence, notification_status: 'delivered' });
        expect(await store.find(found.payment_id)).toMatchObject({
          notification_status: 'delivered',
          phone: null,
        });
        expect(await isBlank(1)).toBe(true);
      });
    });

    test('the backlog is what is pending, and how old its oldest is', async () => {
      expect(await store.backlog()).toEqual({ size: 0, oldest_at: null });
      const at = (day: number) => ({ created_at: `2026-01-0${day}T00:00:00.000Z` });
      await store.insert(paymentNumber(1, { ...at(1), notification_status: 'sent' }));
      await store.insert(paymentNumber(3, { ...at(3), attempts: running() }));
      await store.insert(paymentNumber(2, at(2)));
      await store.insert(paymentNumber(4, { ...at(4), notification_status: 'failed' }));
      expect(await store.backlog()).toEqual({ size: 2, oldest_at: at(2).created_at });

      await store.update(paymentNumber(2, { ...at(2), notification_status: 'delivered' }));
      expect(await store.backlog()).toEqual({ size: 1, oldest_at: at(3).created_at });
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
      ['backlog', () => store.backlog()],
      ['check', () => store.check()],
      ['storeAnswer', () => store.storeAnswer(paymentNumber(1).payment_id, someAnswer)],
      ['claimDue', () => store.claimDue(1)],
      ['claim', () => store.claim(paymentNumber(1))],
      ['redact', () => store.redact(Date.now(), 1)],
      ['deleteKeys', () => store.deleteKeys(Date.now(), 1)],
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
    message: 'Pago recibido',
    encoding: 'GSM-7',
    segments: 1,
    created_at: '2026-01-01T00:00:00.000Z',
    expires_at: '2999-01-01T00:00:00.000Z',
    retries: 0,
    reopened: 0,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    request_id: 'req-1',
    fence: 1,
    notification_service: null,
    notification_status: 'pending',
    reason: null,
    attempts: [],
    next_attempt_at: null,
    ...fields,
  };
}

const numberOf = (paymentId: string) => Number(paymentId.slice('pmt_'.length));

/** The attempts of a notification whose only attempt is still running. */
export const running = () => [everyAttempt.at(-1) as Attempt];

const someAnswer: StoredAnswer = { status: 202, body: '{"amount":100.50, "ñ": "é\\u00e9\\n"}' };

export function recordOf(
  key: string,
  { payment_id }: Payment,
  fields: Partial<IdempotencyRecord> = {},
): IdempotencyRecord {
  return { key, fingerprint: 'f', payment_id, answer: null, ...fields };
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

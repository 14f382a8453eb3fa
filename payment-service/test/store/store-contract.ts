import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StoredAction } from '../../src/domain/actions.ts';
import { endAttempt } from '../../src/domain/attempts.ts';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { outcomeOfAnswer } from '../../src/providers/provider-answer.ts';
import {
  type DayTake,
  type IdempotencyRecord,
  LeaseLost,
  type PaymentPage,
  type PaymentQuery,
  type RecipientTake,
  type Store,
  type StoredAnswer,
  StoreUnavailable,
} from '../../src/store/store.ts';
import { customer } from './customer.ts';

const leaseMs = 10_000;

/** The contract of every Store implementation. `open` opens an empty store; the test file that passes it cleans up. */
/** `setClock` sets the clock of a store that does not go by that of the process; undefined for the real time. */
export function describeStore(
  name: string,
  open: (leaseMs: number) => Store | Promise<Store>,
  setClock: (now: number | undefined) => Promise<void> = async () => {},
): void {
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
      test('are stored, replaced and deleted without a change to those of other customers', async () => {
        expect(await store.findPhone(customer('1'))).toBeUndefined();
        expect(await store.deletePhone(customer('1'))).toBe(false);
        expect(await store.putPhone(customer('1'), '+573001234567')).toBe(true);
        expect(await store.putPhone(customer('2'), '+573009999999')).toBe(true);
        expect(await store.putPhone(customer('1'), '+573007777777')).toBe(false);
        expect(await store.putPhone(customer('1'), '+573007777777')).toBe(false);
        expect([await store.findPhone(customer('1')), await store.findPhone(customer('2'))]).toEqual([
          '+573007777777',
          '+573009999999',
        ]);
        expect(await store.deletePhone(customer('1'))).toBe(true);
        expect([await store.findPhone(customer('1')), await store.findPhone(customer('2'))]).toEqual([
          undefined,
          '+573009999999',
        ]);
        expect(await store.putPhone(customer('1'), '+573001234567')).toBe(true);
      });
    });

    test("insert stores a payment with its own phone, else with its customer's, else with none", async () => {
      await store.putPhone(customer('1'), '+573001234567');
      const own = '+573009999999';
      const given = [
        paymentNumber(1, { customer_id: '1' }),
        paymentNumber(2, { customer_id: '1', phone: own }),
        paymentNumber(3, { customer_id: '2' }),
      ];
      const inserted = await Promise.all(given.map((payment) => store.insert(payment)));
      expect(inserted).toEqual([{ phone: '+573001234567' }, { phone: own }, { phone: null }]);
      const found = await Promise.all(given.map(({ payment_id }) => store.find(payment_id)));
      expect(found.map((payment) => payment?.phone)).toEqual(['+573001234567', own, null]);
    });

    describe('the SMS of a day', () => {
      const day = '2026-03-01';
      const take = (needed: number, given: Partial<DayTake> = {}) =>
        store.takeOfDay({ day, cap: 1000, block: 10, needed, ...given });

      test('are given in blocks, of at least what is needed', async () => {
        expect([await take(1), await take(11), await take(10)]).toEqual([10, 11, 10]);
      });

      test('are given in smaller blocks near the end of the cap, down to what is needed, and never beyond it', async () => {
        expect(await take(950)).toBe(950);
        const given: number[] = [];
        for (let more = await take(1); more > 0; more = await take(1)) given.push(more);
        expect(given[0]).toBe(5);
        expect(given.at(-1)).toBe(1);
        expect(given.toSorted((a, b) => b - a)).toEqual(given);
        expect(given.reduce((sum, each) => sum + each, 0)).toBe(50);
      });

      test('are given to a payment that needs less than is left, after one that needs more', async () => {
        expect([await take(998), await take(3), await take(2), await take(1)]).toEqual([998, 0, 2, 0]);
      });

      test('are never given beyond the cap, however many ask at once', async () => {
        const given = await Promise.all(Array.from({ length: 300 }, (_, index) => take(1 + (index % 9))));
        expect(given.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(1000);
        expect(given.filter((each) => each === 0).length).toBeGreaterThan(0);
      });

      test('are not given when the first that asks needs more than the cap', async () => {
        expect([await take(1001), await take(2, { cap: 1, block: 1 }), await take(1)]).toEqual([0, 0, 10]);
      });

      test('are those of this day alone', async () => {
        expect([await take(1000), await take(1), await take(1, { day: '2026-03-02' })]).toEqual([
          1000, 0, 10,
        ]);
      });

      test('given a cap that was lowered, are none until it is raised', async () => {
        await take(500);
        expect(await take(1, { cap: 100, block: 1 })).toBe(0);
        expect(await take(1, { cap: 501, block: 6 })).toBe(1);
        expect(await take(1)).toBe(10);
      });
    });

    describe('the SMS to a recipient in an hour', () => {
      const phone = '+573001234567';
      const take = (segments: number, given: Partial<RecipientTake> = {}) =>
        store.takeOfRecipient({ hour: '2026-03-01T12', phone, cap: 5, segments, ...given });

      test('are counted up to the cap, for each recipient and hour alone', async () => {
        const taken = [await take(6), await take(3), await take(3), await take(2), await take(1)];
        expect(taken).toEqual([false, true, false, true, false]);
        expect(await take(1, { phone: '+573009999999' })).toBe(true);
        expect(await take(1, { hour: '2026-03-01T13' })).toBe(true);
      });

      test('never exceed the cap, however many ask at once', async () => {
        const taken = await Promise.all(Array.from({ length: 50 }, () => take(2)));
        expect(taken.filter((isTaken) => isTaken)).toHaveLength(2);
      });
    });

    test('deletes the counts of days and hours that are over, and no others', async () => {
      const dayTake = { cap: 2, block: 2, needed: 2 };
      const recipientTake = { cap: 1, segments: 1 };
      for (const day of ['2026-02-27', '2026-02-28', '2026-03-01'])
        await store.takeOfDay({ day, ...dayTake });
      for (const hour of ['2026-03-01T09', '2026-03-01T10', '2026-03-01T11'])
        for (const phone of ['+573001234567', '+573009999999'])
          await store.takeOfRecipient({ hour, phone, ...recipientTake });
      const before = { day: '2026-02-28', hour: '2026-03-01T11' };
      const deleted = [
        await store.deleteCounts(before, 3),
        await store.deleteCounts(before, 3),
        await store.deleteCounts(before, 3),
      ];
      expect(deleted).toEqual([3, 1, 0]);
      const left = (day: string) => store.takeOfDay({ day, ...dayTake });
      expect([await left('2026-02-27'), await left('2026-02-28'), await left('2026-03-01')]).toEqual([
        2, 0, 0,
      ]);
      const phone = '+573001234567';
      const isFree = (hour: string) => store.takeOfRecipient({ hour, phone, ...recipientTake });
      expect([await isFree('2026-03-01T10'), await isFree('2026-03-01T11')]).toEqual([true, false]);
    });

    test('counts the notifications that are held, by reason', async () => {
      expect(await store.countHeld()).toEqual({});
      const next_attempt_at = '2998-01-01T00:00:00.000Z';
      const fields: Partial<Payment>[] = [
        { notification_status: 'held', reason: 'daily_limit', next_attempt_at },
        { notification_status: 'held', reason: 'daily_limit', next_attempt_at },
        { notification_status: 'held', reason: 'recipient_limit', next_attempt_at },
        { reason: 'daily_limit', notification_status: 'failed' },
        {},
      ];
      for (const [index, each] of fields.entries()) await store.insert(paymentNumber(index, each));
      expect(await store.countHeld()).toEqual({ daily_limit: 2, recipient_limit: 1 });
      await store.update({ ...paymentNumber(0), reason: null, notification_status: 'sent' });
      expect(await store.countHeld()).toEqual({ daily_limit: 1, recipient_limit: 1 });
    });

    describe('insert stores every field', () => {
      test.each<[string, Partial<Payment>]>([
        ['a new payment', {}],
        ['a phone', { phone: '+573001234567' }],
        ['the largest amount', { amount_minor: Number.MAX_SAFE_INTEGER }],
        ['a customer of 255 characters', { customer_id: 'ñ'.repeat(255) }],
        ['an id that looks like SQL', { customer_id: `'; DROP TABLE payments; -- "%_\\` }],
        ['a delivered notification', { notification_service: 'Twilio', notification_status: 'delivered' }],
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
          'expiry, retries, reopenings and fencing token',
          { expires_at: '2026-01-02T03:04:05.678Z', retries: 17, reopened: 2, fence: 4 },
        ],
        ['one attempt of each outcome, in their order', { attempts: everyAttempt }],
        ['more than nine attempts', { attempts: manyAttempts }],
      ])('given %s', async (_name, fields) => {
        const payment = paymentNumber(1, fields);
        await store.insert(payment);
        await store.insert(paymentNumber(2)); // so that fields mixed up between payments would show
        expect(await store.find(payment.payment_id)).toStrictEqual(payment);
        expect((await list({})).payments).toContainEqual(payment);
      });
    });

    test('find, given an unknown id, returns undefined', async () => {
      await store.insert(paymentNumber(1));
      expect(await store.find('pmt_unknown')).toBeUndefined();
      expect(await store.find('')).toBeUndefined();
    });

    test('update ends the running attempt, adds others, and leaves other payments unchanged', async () => {
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
            mode: 'live',
          },
          ended,
        ],
        next_attempt_at: '2026-01-02T03:04:05.678Z',
      };
      await store.update(after);
      expect(await store.find(before.payment_id)).toStrictEqual(after);
      expect(await store.find(paymentNumber(2).payment_id)).toStrictEqual(paymentNumber(2));
      // A second update overwrites values with null.
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

    test.each([
      [
        'an id',
        {
          status: 200,
          body: String.raw`{"provider":"Aldeamo","status":"sent","message_id":"SM\u0000\ud800"}`,
        },
        { outcome: 'accepted', message_id: 'SM\ufffd\ufffd' },
      ],
      [
        'a reason',
        { status: 422, body: String.raw`{"outcome":"rejected","reason":"no\u0000\ud800"}` },
        { outcome: 'rejected', reason: 'no\ufffd\ufffd' },
      ],
    ])('update stores the outcome of a provider with %s that no database can hold', async (_what, answer, ended) => {
      const before = paymentNumber(1, { attempts: running() });
      await store.insert(before);
      const outcome = outcomeOfAnswer('Aldeamo', { ...answer, retryAfter: undefined });
      const after = endAttempt(before, outcome, 7);
      await store.update(after, undefined, before);
      expect(await store.find(before.payment_id)).toStrictEqual(after);
      expect(after.attempts).toMatchObject([ended]);
    });

    test('update stores the new attempts, with or without the payment before', async () => {
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

    test('update, called right after the insert, is applied after it', async () => {
      const sent: Payment = { ...paymentNumber(1), notification_status: 'sent' };
      await Promise.all([store.insert(paymentNumber(1)), store.update(sent)]);
      expect(await store.find(sent.payment_id)).toStrictEqual(sent);
    });

    describe('list', () => {
      const customers = ['ana', 'bea', 'ana'] as const;
      const statuses = ['pending', 'sent', 'failed', 'delivered'] as const;
      /** 25 payments, oldest first. Customers repeat every three payments, statuses every four. */
      const all = Array.from({ length: 25 }, (_, index) =>
        paymentNumber(index + 1, {
          customer_id: customers[index % 3] ?? '',
          notification_status: statuses[index % 4] ?? 'pending',
          attempts: [{ ...(everyAttempt[0] as Attempt), message_id: `sms-${index}` }],
        }),
      );
      const newestFirst = all.toReversed();
      // Inserted in another order than that of the ids, because only the ids decide which payment is newer.
      const insertAll = () =>
        Promise.all([...all.slice(10), ...all.slice(0, 10)].map((payment) => store.insert(payment)));

      test('given an empty store, returns an empty page', async () => {
        expect(await list({})).toEqual({ payments: [], has_more: false });
      });

      test('returns the newest first, each with its own attempts', async () => {
        await insertAll();
        expect(await list({ limit: 100 })).toStrictEqual({ payments: newestFirst, has_more: false });
      });

      test.each([
        { limit: 1, has_more: true },
        { limit: 24, has_more: true },
        { limit: 25, has_more: false },
        { limit: 26, has_more: false },
      ])('given limit $limit and 25 payments, returns up to $limit and has_more: $has_more', async ({
        limit,
        has_more,
      }) => {
        await insertAll();
        expect(await list({ limit })).toStrictEqual({ payments: newestFirst.slice(0, limit), has_more });
      });

      test.each<[string, Partial<PaymentQuery>, (payment: Payment) => boolean]>([
        ['no filter', {}, () => true],
        ['a customer', { customer_id: 'ana' }, ({ customer_id }) => customer_id === 'ana'],
        [
          'a status',
          { notification_status: ['sent'] },
          ({ notification_status }) => notification_status === 'sent',
        ],
        [
          'a customer and a status',
          { customer_id: 'ana', notification_status: ['pending'] },
          ({ customer_id, notification_status }) =>
            customer_id === 'ana' && notification_status === 'pending',
        ],
      ])('given %s, pages without gaps or duplicates', async (_name, filter, matches) => {
        await insertAll();
        const expected = newestFirst.filter(matches);
        for (const limit of [1, 2, 10]) expect(await pages({ ...filter, limit })).toStrictEqual(expected);
      });

      test('given a newer payment between two pages, returns the same next page', async () => {
        await insertAll();
        const first = await list({ limit: 10 });
        await store.insert(paymentNumber(26));
        const starting_after = first.payments.at(-1)?.payment_id;
        expect((await list({ limit: 10, starting_after })).payments).toStrictEqual(newestFirst.slice(10, 20));
      });

      test('given a cursor whose status has left the list, starts after it', async () => {
        await insertAll();
        const starting_after = all[4]?.payment_id; // pending; the only older one that was sent is the second
        const page = await list({ notification_status: ['sent'], starting_after });
        expect(page.payments).toStrictEqual([all[1]]);
      });

      test('given the oldest payment as cursor, or an unknown customer, returns an empty page', async () => {
        await insertAll();
        const nothing = { payments: [], has_more: false };
        expect(await list({ starting_after: all[0]?.payment_id })).toEqual(nothing);
        expect(await list({ customer_id: 'an' })).toEqual(nothing);
        expect(await list({ customer_id: 'ANA' })).toEqual(nothing);
      });

      test('given an unknown cursor, returns undefined', async () => {
        await insertAll();
        expect(await store.list({ ...everything, starting_after: 'pmt_unknown' })).toBeUndefined();
      });
    });

    test('insert stores all of 500 concurrent payments', async () => {
      const payments = Array.from({ length: 500 }, (_, index) => paymentNumber(index + 1));
      await Promise.all(payments.map((payment) => store.insert(payment)));
      expect(await pages({ limit: 100 })).toStrictEqual(payments.toReversed());
    });

    test('insert, given a duplicate, rejects it without failing concurrent writes', async () => {
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
      // Nothing of the rejected payment is stored, its attempts included.
      expect((await list({})).payments).toStrictEqual([3, 2, 1].map((number) => paymentNumber(number)));
    });

    describe('claims and leases', () => {
      // Due times depend on the clock. Only Date is faked, so that timers and the disk work.
      const now = Date.parse('2026-03-01T12:00:00.000Z');
      beforeEach(async () => {
        vi.useFakeTimers({ now, toFake: ['Date'] });
        await setClock(now);
      });
      afterEach(async () => {
        vi.useRealTimers();
        await setClock(undefined);
      });
      const pass = async (ms: number) => {
        vi.setSystemTime(Date.now() + ms);
        await setClock(Date.now());
      };
      const at = (ms: number) => new Date(now + ms).toISOString();

      const scheduled = (number: number, dueInMs: number, fields: Partial<Payment> = {}) =>
        paymentNumber(number, {
          next_attempt_at: at(dueInMs),
          ...fields,
        });
      const claimed = async (limit = 100) =>
        (await store.claimDue(limit)).map(({ payment_id }) => numberOf(payment_id));

      test('claimDue returns the stored payment with its attempts and a higher fencing token', async () => {
        const payment = scheduled(1, -1, { phone: '+573001234567', retries: 2 });
        payment.attempts = everyAttempt.slice(0, -1);
        await store.insert(payment);
        expect(await store.claimDue(10)).toStrictEqual([{ ...payment, fence: 2 }]);
        expect(await store.find(payment.payment_id)).toStrictEqual({ ...payment, fence: 2 });
      });

      test.each<[what: string, payment: Payment, dueInMs: number]>([
        ['scheduled, at its due time', scheduled(1, 5000), 5000],
        ['running, once its lease has expired', paymentNumber(1, { attempts: running() }), leaseMs],
        ['held, at its expiry', paymentNumber(1, { expires_at: at(60_000), attempts: [] }), 60_000],
        [
          'scheduled for after its expiry, at its expiry',
          scheduled(1, 60_000, { expires_at: at(40_000) }),
          40_000,
        ],
      ])('claimDue returns a notification that is %s', async (_what, payment, dueInMs) => {
        await store.insert(payment);
        await pass(dueInMs - 1);
        expect(await claimed()).toEqual([]);
        await pass(1);
        expect(await claimed()).toEqual([1]);
      });

      test.each([
        'sent',
        'delivered',
        'failed',
      ] as const)('claimDue never returns a notification that is %s', async (notification_status) => {
        await store.insert(paymentNumber(1, { notification_status, expires_at: at(-1) }));
        await pass(10 * 365 * 24 * 60 * 60 * 1000);
        expect(await claimed()).toEqual([]);
      });

      // The order of the due times, other than that of the ids and of the inserts.
      const dueOrder = [4, 2, 5, 1, 3];
      const insertOutOfOrder = () =>
        Promise.all(
          [1, 2, 3, 4, 5].map((number) =>
            store.insert(scheduled(number, 1000 * (dueOrder.indexOf(number) - 10))),
          ),
        );

      test('claimDue returns those due the longest, up to its limit', async () => {
        await insertOutOfOrder();
        expect((await claimed(2)).toSorted()).toEqual([2, 4]);
        expect((await claimed(2)).toSorted()).toEqual([1, 5]);
        expect(await claimed(2)).toEqual([3]);
        expect(await claimed(2)).toEqual([]);
      });

      test('claimDue leases a notification to one worker at a time, each with a higher fencing token', async () => {
        await store.insert(scheduled(1, -1));
        const fences = async () => (await store.claimDue(10)).map(({ fence }) => fence);
        expect((await Promise.all([fences(), fences(), fences()])).flat()).toEqual([2]);
        await pass(leaseMs - 1);
        expect(await fences()).toEqual([]);
        await pass(1);
        expect(await fences()).toEqual([3]);
        expect(await fences()).toEqual([]);
        await pass(leaseMs);
        expect(await fences()).toEqual([4]);
      });

      test('update, given a new attempt, renews the lease', async () => {
        await store.insert(scheduled(1, -1));
        const [claim] = await store.claimDue(1);
        await pass(leaseMs - 1);
        await store.update({ ...(claim as Payment), attempts: running() });
        await pass(leaseMs - 1);
        expect(await claimed()).toEqual([]);
        await pass(1);
        expect(await claimed()).toEqual([1]);
      });

      test('update, given no running attempt, ends the lease: a scheduled notification gets due, a sent one does not', async () => {
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
        await pass(100);
        expect(await claimed()).toEqual([1]);
        await pass(leaseMs);
        expect(await claimed()).toEqual([1]);
      });

      describe('update, given an outdated fencing token', () => {
        test('throws LeaseLost, and changes neither the payment nor the stored answer', async () => {
          const payment = scheduled(1, -1);
          payment.attempts = [everyAttempt[2] as Attempt];
          const first = recordOf('key-1', payment);
          await store.insert(payment, first);
          await store.claimDue(1);
          await pass(leaseMs);
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
          expect(await claimed()).toEqual([]); // the lease of the newer claim still holds
        });

        test('rejects without failing concurrent writes', async () => {
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

      test('update, given an unknown payment, throws LeaseLost', async () => {
        await expect(store.update(paymentNumber(1))).rejects.toBeInstanceOf(LeaseLost);
        expect(await store.find(paymentNumber(1).payment_id)).toBeUndefined();
      });

      describe('amend', () => {
        const amended = (payment: Payment): Payment => ({
          ...payment,
          notification_status: 'delivered',
          notification_service: 'Aldeamo',
          next_attempt_at: null,
          updated_at: at(1),
          ask_at: null,
          asks: 2,
          attempts: everyAttempt.slice(0, 2),
        });

        test.each<[what: string, payment: Payment]>([
          ['sent', paymentNumber(1, { notification_status: 'sent', attempts: everyAttempt.slice(0, 1) })],
          ['failed', paymentNumber(1, { notification_status: 'failed' })],
          ['held', paymentNumber(1, { notification_status: 'held' })],
          ['due', scheduled(1, -1)],
        ])('changes a notification that is %s, and raises its fencing token', async (_what, payment) => {
          await store.insert(payment);
          await store.amend(amended(payment), payment);
          expect(await store.find(payment.payment_id)).toStrictEqual({ ...amended(payment), fence: 2 });
          await expect(store.update(payment)).rejects.toBeInstanceOf(LeaseLost);
          expect(await claimed()).toEqual([]);
        });

        test('makes a notification due', async () => {
          const payment = paymentNumber(1, { notification_status: 'sent' });
          await store.insert(payment);
          await store.amend(scheduled(1, 500), payment);
          expect(await claimed()).toEqual([]);
          await pass(500);
          expect(await claimed()).toEqual([1]);
        });

        test.each<[what: string, payment: Payment, change: (payment: Payment) => Promise<unknown>]>([
          ['leased', paymentNumber(1), (payment) => store.claim(payment)],
          ['amended since', paymentNumber(1), (payment) => store.amend(payment, payment)],
          ['running', paymentNumber(1, { attempts: running() }), async () => {}],
        ])('given a notification that is %s, throws LeaseLost and changes nothing', async (_what, payment, change) => {
          await store.insert(payment);
          await change(payment);
          const before = await store.find(payment.payment_id);
          await expect(store.amend(amended(payment), payment)).rejects.toBeInstanceOf(LeaseLost);
          expect(await store.find(payment.payment_id)).toStrictEqual(before);
        });

        test('given a notification that was read after the claim of a retry, whose attempt has ended since, throws LeaseLost', async () => {
          const failed = paymentNumber(1, { notification_status: 'failed', updated_at: at(-1) });
          await store.insert(failed);
          const claim = await store.claim(failed);
          const read = (await store.find(failed.payment_id)) as Payment;
          const attempts = everyAttempt.slice(0, 1);
          const sent = { ...claim, notification_status: 'sent' as const, updated_at: at(0), attempts };
          await store.update(sent, undefined, claim);
          await expect(store.amend(amended(read), read)).rejects.toBeInstanceOf(LeaseLost);
          expect(await store.find(failed.payment_id)).toStrictEqual(sent);
        });

        test('given an unknown payment, throws LeaseLost', async () => {
          const payment = paymentNumber(1);
          await expect(store.amend(payment, payment)).rejects.toBeInstanceOf(LeaseLost);
        });

        test('given 10 at once, succeeds once for each payment', async () => {
          const payments = [1, 2, 3].map((number) => paymentNumber(number, { notification_status: 'sent' }));
          for (const payment of payments) await store.insert(payment);
          const results = await Promise.allSettled(
            payments.flatMap((payment) =>
              Array.from({ length: 10 }, () => store.amend(amended(payment), payment)),
            ),
          );
          expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
        });
      });

      describe('releaseHeld', () => {
        const held = (number: number, fields: Partial<Payment> = {}) =>
          scheduled(number, 60_000, {
            ...{ customer_id: '7', notification_status: 'held', reason: 'phone_unknown' },
            ...fields,
          });

        test('has the notifications of the customer become due that are held without a phone', async () => {
          const others = [
            held(4, { customer_id: '8' }),
            held(5, { reason: 'daily_limit' }),
            held(6, { notification_status: 'failed' }),
            scheduled(7, 60_000, { customer_id: '7' }),
          ];
          for (const payment of [held(1), held(2), held(3), ...others]) await store.insert(payment);
          expect(await store.releaseHeld(customer('7'), 2)).toBe(2);
          expect(await store.releaseHeld(customer('7'), 2)).toBe(1);
          expect(await store.releaseHeld(customer('7'), 2)).toBe(0);
          expect((await claimed()).toSorted()).toEqual([1, 2, 3]);
        });

        test('takes it from a worker that looks at it, so that it is not held again', async () => {
          await store.insert(held(1, { next_attempt_at: at(-1) }));
          const [looked] = await store.claimDue(1);
          expect(await store.releaseHeld(customer('7'), 10)).toBe(1);
          await expect(store.update(looked as Payment)).rejects.toBeInstanceOf(LeaseLost);
          const [next] = await store.claimDue(1);
          expect(next).toMatchObject({ payment_id: held(1).payment_id, next_attempt_at: at(0) });
          await store.update(next as Payment);
        });
      });

      describe('claimAsks', () => {
        const toAsk = (number: number, inMs: number) =>
          paymentNumber(number, { notification_status: 'sent', ask_at: at(inMs) });
        const asked = async (limit = 100) =>
          (await store.claimAsks(limit)).map(({ payment_id }) => numberOf(payment_id)).toSorted();

        test('leases the payments to ask about, those due the longest first', async () => {
          for (const payment of [toAsk(1, 0), toAsk(2, -2), toAsk(3, -1), toAsk(4, 1), paymentNumber(5)])
            await store.insert(payment);
          expect(await asked(2)).toEqual([2, 3]);
          expect(await asked()).toEqual([1]);
          expect(await asked()).toEqual([]);
          await pass(1);
          expect(await asked()).toEqual([4]);
          await pass(leaseMs - 1);
          expect(await asked()).toEqual([1, 2, 3]);
        });

        test('returns the payment as it can be amended, and claims no notification', async () => {
          const payment = toAsk(1, 0);
          await store.insert(payment);
          const [claim] = await store.claimAsks(1);
          expect(claim).toStrictEqual({ ...payment, ask_at: at(leaseMs) });
          await store.amend({ ...payment, ask_at: null, asks: 1 }, claim as Payment);
          await pass(leaseMs);
          expect([await asked(), await claimed()]).toEqual([[], []]);
        });
      });

      describe('claim', () => {
        test.each<[what: string, payment: Payment]>([
          ['failed', paymentNumber(1, { notification_status: 'failed' })],
          ['held', paymentNumber(1)],
          ['not due yet', scheduled(1, 60_000)],
          ['due', scheduled(1, -1)],
        ])('leases a notification that is %s', async (_what, payment) => {
          await store.insert(payment);
          expect(await store.claim(payment)).toStrictEqual({ ...payment, fence: 2 });
          expect(await claimed()).toEqual([]);
          await pass(leaseMs - 1);
          expect(await claimed()).toEqual([]);
          await pass(1);
          expect(await claimed()).toEqual([1]);
        });

        test('given 10 concurrent claims of the same payment, succeeds once', async () => {
          const payment = paymentNumber(1);
          await store.insert(payment);
          const results = await Promise.allSettled(Array.from({ length: 10 }, () => store.claim(payment)));
          expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
          for (const result of results)
            if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LeaseLost);
          expect((await store.find(payment.payment_id))?.fence).toBe(2);
        });

        test('given an outdated or an unknown payment, throws LeaseLost', async () => {
          const payment = scheduled(1, -1);
          await store.insert(payment);
          await store.claimDue(1);
          await expect(store.claim(payment)).rejects.toBeInstanceOf(LeaseLost);
          await expect(store.claim(paymentNumber(2))).rejects.toBeInstanceOf(LeaseLost);
        });

        test('given a notification that was read after the claim of a resend, whose attempt has ended since, throws LeaseLost', async () => {
          const sent = paymentNumber(1, { notification_status: 'sent', updated_at: at(-1) });
          await store.insert(sent);
          const claim = await store.claim(sent);
          const read = (await store.find(sent.payment_id)) as Payment;
          const resent = { ...claim, updated_at: at(0), attempts: everyAttempt.slice(0, 1) };
          await store.update(resent, undefined, claim);
          await expect(store.claim(read)).rejects.toBeInstanceOf(LeaseLost);
          expect(await store.find(sent.payment_id)).toStrictEqual(resent);
        });

        test('given a running attempt, throws LeaseLost, even in the millisecond in which the attempt was stored', async () => {
          const payment = paymentNumber(1, { attempts: running() });
          await store.insert(payment);
          await expect(store.claim(payment)).rejects.toBeInstanceOf(LeaseLost);
          expect(await store.find(payment.payment_id)).toStrictEqual(payment);
        });
      });
    });

    describe('seize', () => {
      test('takes a notification from the worker that has leased it, while its attempt runs', async () => {
        const payment = paymentNumber(1, { attempts: running() });
        await store.insert(payment);
        const seized = await store.seize(payment);
        expect(seized).toStrictEqual({ ...payment, fence: 2 });
        await expect(store.update(payment)).rejects.toBeInstanceOf(LeaseLost);
        await store.update({ ...seized, notification_status: 'cancelled' });
        expect(await store.find(payment.payment_id)).toMatchObject({ notification_status: 'cancelled' });
      });

      test('given an outdated or an unknown payment, throws LeaseLost', async () => {
        const payment = paymentNumber(1);
        await store.insert(payment);
        await store.seize(payment);
        await expect(store.seize(payment)).rejects.toBeInstanceOf(LeaseLost);
        await expect(store.seize(paymentNumber(2))).rejects.toBeInstanceOf(LeaseLost);
      });
    });

    describe('actions of operators', () => {
      const resent: StoredAction = {
        at: '2026-01-02T00:00:00.000Z',
        by: 'maria',
        action: 'resend',
        reason: 'a new number, says "Ana"',
        provider: 'Twilio',
        request: { key: 'k', fingerprint: 'f' },
      };

      test('are stored with an update and with an amendment, in their order', async () => {
        const payment = paymentNumber(1);
        await store.insert(payment);
        const claimed = await store.claim(payment);
        const once = { ...claimed, actions: [resent] };
        await store.update(once);
        expect(await store.find(payment.payment_id)).toStrictEqual(once);
        const twice = { ...once, actions: [resent, { ...resent, by: null, provider: null, request: null }] };
        await store.amend(twice, once);
        expect(await store.find(payment.payment_id)).toStrictEqual({ ...twice, fence: 3 });
      });

      test('are stored with an insert', async () => {
        const payment = paymentNumber(1, { actions: [resent] });
        await store.insert(payment);
        expect(await store.find(payment.payment_id)).toStrictEqual(payment);
      });
    });

    describe('bringForward', () => {
      const hour = 3_600_000;
      const at = (ms: number) => new Date(Date.now() + ms).toISOString();
      const scheduled = (number: number, dueInMs: number, fields: Partial<Payment> = {}) =>
        paymentNumber(number, { next_attempt_at: at(dueInMs), ...fields });
      /** As a process does whose wall clock is two hours ahead, or a database whose clock is. */
      async function twoHoursAhead<T>(write: () => Promise<T>): Promise<T> {
        vi.useFakeTimers({ now: Date.now() + 2 * hour, toFake: ['Date'] });
        await setClock(Date.now());
        try {
          return await write();
        } finally {
          vi.useRealTimers();
          await setClock(undefined);
        }
      }

      describe('given a short lease', () => {
        beforeEach(async () => {
          await store.close();
          store = await open(200);
        });
        test.each<[what: string, put: () => Promise<unknown>]>([
          ['is scheduled for later than the longest wait', () => store.insert(scheduled(1, 2 * hour))],
          [
            'is scheduled for after its expiry, and both are later',
            () => store.insert(scheduled(1, 3 * hour, { expires_at: at(2 * hour) })),
          ],
          [
            'was started by a clock that was ahead',
            () => twoHoursAhead(() => store.insert(paymentNumber(1, { attempts: running() }))),
          ],
          [
            'was claimed by a clock that was ahead',
            async () => {
              await store.insert(scheduled(1, hour));
              await twoHoursAhead(() => store.claimDue(1));
            },
          ],
          [
            'is held and was claimed by a clock that was ahead',
            async () => {
              await store.insert(paymentNumber(1));
              await twoHoursAhead(() => store.claim(paymentNumber(1)));
            },
          ],
        ])('a notification that %s becomes due in a lease, and is not changed', async (_what, put) => {
          await put();
          const before = await store.find(paymentNumber(1).payment_id);
          await store.bringForward(hour, 10);
          expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(before);
          await expect.poll(() => store.claimDue(10), { timeout: 10_000 }).toHaveLength(1);
        });
      });

      test.each<[what: string, payment: () => Payment, longestWaitMs: number]>([
        ['due within the longest wait', () => scheduled(1, hour - 60_000), hour],
        ['leased, though the lease is longer than the longest wait', () => runningPayment(), 1],
        ['held', () => paymentNumber(1, { expires_at: at(2 * hour), reason: 'unknown_outcome' }), hour],
        ['sent', () => scheduled(1, 2 * hour, { notification_status: 'sent' }), hour],
      ])('leaves a notification that is %s', async (_what, payment, longestWaitMs) => {
        await store.insert(payment());
        expect(await store.bringForward(longestWaitMs, 10)).toBe(0);
        expect(await store.claimDue(10)).toEqual([]);
      });
      const runningPayment = () => paymentNumber(1, { attempts: running() });

      test('given a lease longer than the longest wait, brings a scheduled notification within that wait', async () => {
        await store.insert(scheduled(1, leaseMs / 2));
        expect(await store.bringForward(100, 10)).toBe(1);
        await expect.poll(() => store.claimDue(10), { timeout: leaseMs / 3 }).toHaveLength(1);
      });

      test('brings as many as its limit, each once and to no earlier than a lease', async () => {
        await Promise.all([1, 2, 3, 4, 5].map((number) => store.insert(scheduled(number, 2 * hour))));
        await store.insert(paymentNumber(6));
        expect(await store.bringForward(hour, 3)).toBe(3);
        expect(await store.bringForward(hour, 3)).toBe(2);
        expect(await store.bringForward(hour, 3)).toBe(0);
        expect(await store.claimDue(10)).toEqual([]);
      });
    });

    describe('an idempotency key', () => {
      test('is stored with its payment: a second insert returns the first record, and inserts nothing', async () => {
        const first = recordOf('key-1', paymentNumber(1), { fingerprint: 'aaa' });
        expect(await store.insert(paymentNumber(1), first)).toStrictEqual({ phone: null });
        const second = recordOf('key-1', paymentNumber(2), { fingerprint: 'bbb', answer: someAnswer });
        expect(await store.insert(paymentNumber(2), second)).toStrictEqual({ known: first });
        expect((await list({})).payments).toStrictEqual([paymentNumber(1)]);
        expect(await store.find(paymentNumber(2).payment_id)).toBeUndefined();
      });

      test('is found with its record, and no other is', async () => {
        const record = recordOf('key-1', paymentNumber(1), { answer: someAnswer });
        await store.insert(paymentNumber(1), record);
        expect(await store.findKey('key-1')).toStrictEqual(record);
        expect(await store.findKey('KEY-1')).toBeUndefined();
      });

      test('is compared exactly, and is optional', async () => {
        const keys = ['key-1', 'KEY-1', 'key-1 ', undefined, undefined];
        for (const [number, key] of keys.entries()) {
          const payment = paymentNumber(number);
          const record = key === undefined ? undefined : recordOf(key, payment);
          expect(await store.insert(payment, record)).toStrictEqual({ phone: null });
        }
        expect((await list({})).payments).toHaveLength(5);
      });

      test('given 50 concurrent inserts, creates one payment', async () => {
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

      test('is stored with an answer that the insert has, byte for byte', async () => {
        const record = recordOf('key-1', paymentNumber(1), { answer: someAnswer });
        await store.insert(paymentNumber(1), record);
        expect(await store.insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toStrictEqual({
          known: record,
        });
      });

      test('gets the answer of an update of its own payment only', async () => {
        const records = [1, 2].map((number) => recordOf(`key-${number}`, paymentNumber(number)));
        await store.insert(paymentNumber(1), records[0]);
        await store.insert(paymentNumber(2), records[1]);
        await store.update(paymentNumber(1));
        await store.update(paymentNumber(1), someAnswer);
        await store.update(paymentNumber(1)); // an update without an answer leaves it
        await store.update(paymentNumber(1), { status: 201, body: 'late' }); // the first answer stays
        const found = async (key: string) =>
          (await store.insert(paymentNumber(3), recordOf(key, paymentNumber(3)))).known;
        expect(await found('key-1')).toStrictEqual({ ...records[0], answer: someAnswer });
        expect(await found('key-2')).toStrictEqual(records[1]);
      });

      test('given a second answer, returns the first one, and changes nothing', async () => {
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
        // Without a key, such as after its deletion, the given answer is returned.
        expect(await store.storeAnswer(paymentNumber(3).payment_id, late)).toEqual(late);
      });

      test('of a payment that cannot be inserted is not stored', async () => {
        await store.insert(paymentNumber(1));
        const again = store.insert(paymentNumber(1), recordOf('key-1', paymentNumber(1)));
        await expect(again).rejects.toBeInstanceOf(StoreUnavailable);
        expect(await store.insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toEqual({
          phone: null,
        });
      });

      describe('deleteKeys', () => {
        const now = Date.parse('2026-03-01T12:00:00.000Z');
        beforeEach(async () => {
          vi.useFakeTimers({ now, toFake: ['Date'] });
          for (const number of [1, 2, 3, 4, 5]) {
            await store.insert(paymentNumber(number), recordOf(`key-${number}`, paymentNumber(number)));
            vi.setSystemTime(Date.now() + 1000);
          }
        });
        afterEach(() => void vi.useRealTimers());
        /** The keys that are still stored. Side effect: stores the others again. */
        const known = async () => {
          const found = await Promise.all(
            [1, 2, 3, 4, 5].map((number) =>
              store.insert(paymentNumber(10 + number), recordOf(`key-${number}`, paymentNumber(10 + number))),
            ),
          );
          return found.flatMap(({ known }) => known?.key ?? []);
        };

        test('deletes the keys that are older than the given time, and no payments', async () => {
          expect(await store.deleteKeys(now + 2000, 100)).toBe(2);
          expect((await list({})).payments).toHaveLength(5);
          expect(await known()).toEqual(['key-3', 'key-4', 'key-5']);
        });

        test('deletes the oldest first, up to its limit', async () => {
          expect(await store.deleteKeys(now + 10_000, 3)).toBe(3);
          expect(await known()).toEqual(['key-4', 'key-5']);
        });

        test('given no older key, deletes none', async () => {
          expect(await store.deleteKeys(now, 100)).toBe(0);
          expect(await known()).toHaveLength(5);
        });
      });
    });

    describe('redact', () => {
      const made = (day: number, fields: Partial<Payment> = {}) =>
        paymentNumber(day, {
          created_at: `2026-01-0${day}T00:00:00.000Z`,
          phone: '+573001234567',
          notification_status: 'sent',
          ...fields,
        });
      const before = Date.parse('2026-01-04T00:00:00.000Z');
      const isRedacted = async (day: number) => {
        const payment = await store.find(made(day).payment_id);
        return payment?.message === null && payment.phone === null;
      };

      test('removes text and phone of ended notifications older than the given time, and nothing else', async () => {
        await store.insert(made(1));
        await store.insert(made(2, { notification_status: 'failed' }));
        await store.insert(made(3, { notification_status: 'pending' }));
        await store.insert(made(4));
        expect(await store.redact(before, 100)).toBe(2);
        expect(await Promise.all([1, 2, 3, 4].map(isRedacted))).toEqual([true, true, false, false]);
        const old = made(1);
        expect(await store.find(old.payment_id)).toStrictEqual({
          ...old,
          phone: null,
          fence: old.fence + 1,
          message: null,
        });
        expect(await store.redact(before, 100)).toBe(0);
      });

      test('redacts the oldest first, up to its limit', async () => {
        for (const day of [3, 1, 2]) await store.insert(made(day));
        expect(await store.redact(before, 2)).toBe(2);
        expect(await Promise.all([1, 2, 3].map(isRedacted))).toEqual([true, true, false]);
      });

      test('raises the fencing token, so that stale copies restore neither text nor phone', async () => {
        await store.insert(made(1));
        await store.redact(before, 1);
        await expect(store.update(made(1))).rejects.toBeInstanceOf(LeaseLost);
        await expect(store.claim(made(1))).rejects.toBeInstanceOf(LeaseLost);
        expect(await isRedacted(1)).toBe(true);
      });

      test('skips a claimed payment until its lease has ended', async () => {
        await store.insert(made(1));
        const claimed = await store.claim(made(1));
        expect(await store.redact(before, 1)).toBe(0);
        await store.update(claimed);
        expect(await store.redact(before, 1)).toBe(1);
      });

      test('leaves a payment open to the status of a later receipt', async () => {
        await store.insert(made(1));
        await store.redact(before, 1);
        const found = (await store.find(made(1).payment_id)) as Payment;
        const { fence } = await store.claim(found);
        await store.update({ ...found, fence, notification_status: 'delivered' });
        expect(await store.find(found.payment_id)).toMatchObject({
          notification_status: 'delivered',
          phone: null,
        });
        expect(await isRedacted(1)).toBe(true);
      });
    });

    test('backlog counts the pending payments, and returns when the oldest was created', async () => {
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

    test('check changes no payment', async () => {
      await store.insert(paymentNumber(1));
      await store.check();
      expect((await list({})).payments).toStrictEqual([paymentNumber(1)]);
    });

    test('close waits for earlier writes', async () => {
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
    ])('%s, after close, rejects with StoreUnavailable', async (_name, operation) => {
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

    /** The payments of all pages, requested one after the other as HTTP clients do. */
    async function pages(query: Partial<PaymentQuery>): Promise<Payment[]> {
      const payments: Payment[] = [];
      for (;;) {
        const page = await list({ ...query, starting_after: payments.at(-1)?.payment_id });
        payments.push(...page.payments);
        expect(new Set(payments.map(({ payment_id }) => payment_id)).size).toBe(payments.length); // otherwise a cursor that goes back would loop forever
        if (!page.has_more) return payments;
        expect(page.payments).toHaveLength(query.limit ?? Number.NaN);
      }
    }
  });
}

export const everything: PaymentQuery = {
  limit: 100,
};

/** A payment whose id sorts by its number. */
export function paymentNumber(number: number, fields: Partial<Payment> = {}): Payment {
  return {
    payment_id: `pmt_${String(number).padStart(32, '0')}`,
    amount_minor: number,
    currency: 'COP',
    customer_id: '123',
    client: null,
    reference: null,
    metadata: null,
    phone: null,
    message: 'Pago recibido',
    encoding: 'GSM-7',
    segments: 1,
    created_at: '2026-01-01T00:00:00.000Z',
    expires_at: '2999-01-01T00:00:00.000Z',
    retries: 0,
    ask_at: null,
    asks: 0,
    reopened: 0,
    actions: [],
    updated_at: '2026-01-01T00:00:00.000Z',
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

const attempt = {
  message_id: null,
  started_at: '2026-01-01T00:00:00.000Z',
  mode: null,
  phone_last4: null,
  deliveries: [],
};
/** One for each outcome; the last one still runs. */
const everyAttempt: Attempt[] = [
  {
    ...attempt,
    provider: 'Aldeamo',
    outcome: 'accepted',
    reason: null,
    message_id: 'sms-1',
    duration_ms: 7,
    mode: 'live',
    phone_last4: '4567',
    deliveries: [
      { status: 'undelivered', reason: 'twilio_30003', at: '2026-01-01T00:00:01.000Z' },
      { status: 'delivered', reason: null, at: '2026-01-01T00:00:02.345Z' },
    ],
  },
  {
    ...attempt,
    provider: 'Twilio',
    outcome: 'rejected',
    reason: 'opted_out',
    duration_ms: 0,
    mode: 'sandbox',
  },
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

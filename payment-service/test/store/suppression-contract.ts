import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endAttempt, settleAttempt, startAttempt } from '../../src/domain/attempts.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { applyReceipt } from '../../src/domain/receipts.ts';
import { newSuppression, type Suppression, suppress, suppressNew } from '../../src/domain/suppression.ts';
import { LeaseLost, RecipientSuppressed, type Store } from '../../src/store/store.ts';
import { customer } from './customer.ts';
import { paymentNumber, recordOf } from './store-contract.ts';

const phone = '+573001234567';
const other = '+573009999999';
const past = '2026-01-01T00:00:00.000Z';
const optedOut = { outcome: 'rejected', reason: 'twilio_21610' } as const;

const optOut = (fields: Partial<Suppression> = {}) =>
  newSuppression({
    phone,
    source: 'opt_out',
    reason: 'STOP',
    provider: 'Twilio',
    payment_id: null,
    ...fields,
  });
const ofAdmin = (fields: Partial<Suppression> = {}) =>
  newSuppression({
    phone,
    source: 'admin',
    reason: 'asked us to',
    provider: null,
    payment_id: null,
    ...fields,
  });

/** The part of the store's contract that is about suppressions. `open` opens an empty store. */
export function describeSuppressions(name: string, open: (leaseMs: number) => Store | Promise<Store>): void {
  describe(`${name}: suppressions`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open(10_000);
    });
    afterEach(() => store.close());

    const attemptTo = (number: number, fields: Partial<Payment> = {}) =>
      startAttempt(paymentNumber(number, { phone, ...fields }), 'Twilio');
    const found = async ({ payment_id }: Payment) => store.find(payment_id);
    const suppressionOf = (of: string) => store.findSuppression({ phone: of });

    test('are stored one for a phone, found by id and phone, and deleted by id', async () => {
      const first = optOut();
      expect(await suppressionOf(phone)).toBeUndefined();
      expect(await store.putSuppression(first)).toEqual({ suppression: first, isNew: true });
      expect(await store.putSuppression(optOut())).toEqual({ suppression: first, isNew: false });
      expect(await suppressionOf(phone)).toStrictEqual(first);
      const { suppression_id } = first;
      expect(await store.findSuppression({ suppression_id })).toStrictEqual(first);
      for (const unknown of ['sup_unknown', '', 'sup_\0']) {
        expect(await store.findSuppression({ suppression_id: unknown })).toBeUndefined();
        expect(await store.deleteSuppression(unknown)).toBe(false);
        expect(await store.listSuppressions({ limit: 1, starting_after: unknown })).toBeUndefined();
      }
      expect(await store.deleteSuppression(suppression_id)).toBe(true);
      expect(await store.deleteSuppression(suppression_id)).toBe(false);
      expect(await suppressionOf(phone)).toBeUndefined();
    });

    test("of an admin replaces the source and the reason of an opt-out, and is not replaced by one, nor by another admin's", async () => {
      const first = optOut();
      await store.putSuppression(first);
      const replaced = { ...first, source: 'admin', reason: 'asked us to', provider: null };
      expect(await store.putSuppression(ofAdmin())).toEqual({ suppression: replaced, isNew: false });
      await store.putSuppression(optOut());
      await store.putSuppression(ofAdmin({ reason: 'another' }));
      expect(await suppressionOf(phone)).toEqual(replaced);
    });

    test('are lifted by a START if they are an opt-out, and not if an admin has set them', async () => {
      await store.putSuppression(optOut());
      await store.putSuppression(ofAdmin({ phone: other }));
      expect([await store.liftOptOut(phone), await store.liftOptOut(other)]).toEqual([true, false]);
      expect(await store.liftOptOut(phone)).toBe(false);
      expect(await suppressionOf(phone)).toBeUndefined();
      expect(await suppressionOf(other)).toBeDefined();
    });

    test('given many at once for one phone, keep one', async () => {
      const put = await Promise.all(Array.from({ length: 20 }, () => store.putSuppression(optOut())));
      expect(put.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(new Set(put.map(({ suppression }) => suppression.suppression_id)).size).toBe(1);
    });

    test('are listed newest first, in pages without gaps', async () => {
      const all = Array.from({ length: 5 }, (_, index) => optOut({ phone: `+57300000000${index}` }));
      for (const each of all.toSorted((a, b) => (a.phone > b.phone ? -1 : 1)))
        await store.putSuppression(each);
      const pages: Suppression[][] = [];
      let starting_after: string | undefined;
      for (;;) {
        const page = await store.listSuppressions({ limit: 2, starting_after });
        pages.push(page?.suppressions ?? []);
        if (!page?.has_more) break;
        starting_after = page.suppressions.at(-1)?.suppression_id;
      }
      expect(pages.flat()).toStrictEqual(all.toReversed());
      expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
    });

    describe('insert, given a phone that is suppressed', () => {
      const answer = { status: 201, body: '{}' };

      test.each<[string, Partial<Payment>]>([
        ["the payment's own", { phone }],
        ["its customer's", { phone: null, customer_id: 'ana' }],
      ])('%s, writes that the notification failed for it, without an attempt', async (_, fields) => {
        await store.putPhone(customer('ana'), phone);
        await store.putSuppression(optOut());
        const begun = startAttempt(paymentNumber(1, fields), 'Aldeamo');
        expect(await store.insert(begun)).toEqual({ phone, suppressed: true });
        expect(await found(begun)).toStrictEqual(suppressNew({ ...begun, phone }));
        expect(await store.claimDue(10)).toEqual([]);
      });

      test('stores no answer for the key, because the one that it was given is of the payment as it was begun', async () => {
        await store.putSuppression(optOut());
        const waiting = paymentNumber(1, { phone, next_attempt_at: past });
        expect(await store.insert(waiting, recordOf('key', waiting, { answer }))).toMatchObject({
          suppressed: true,
        });
        expect(await found(waiting)).toStrictEqual(suppressNew(waiting));
        expect(await store.findKey('key')).toEqual(recordOf('key', waiting));
        expect(await store.storeAnswer(waiting.payment_id, answer)).toEqual(answer);
      });

      test('leaves payments to other phones, and without one, as they are', async () => {
        await store.putSuppression(optOut());
        const payments = [
          attemptTo(1, { phone: other }),
          startAttempt(paymentNumber(2), 'Aldeamo'),
          attemptTo(3),
          paymentNumber(4, { phone: other }),
        ];
        const records = [undefined, undefined, undefined, recordOf('key', paymentNumber(4), { answer })];
        const inserted = await Promise.all(
          payments.map((payment, index) => store.insert(payment, records[index])),
        );
        expect(inserted.map((each) => 'suppressed' in each)).toEqual([false, false, true, false]);
        expect(await Promise.all(payments.map(found))).toEqual(
          payments.map((payment, index) => (index === 2 ? suppressNew(payment) : payment)),
        );
        expect(await store.findKey('key')).toMatchObject({ answer });
      });

      test('sends again once it is lifted', async () => {
        await store.putSuppression(optOut());
        await store.liftOptOut(phone);
        expect(await store.insert(attemptTo(1))).toEqual({ phone });
      });

      test('given a key that is known, returns its record', async () => {
        const first = attemptTo(1);
        await store.insert(first, recordOf('key', first, { answer }));
        await store.putSuppression(optOut());
        const again = attemptTo(2);
        expect(await store.insert(again, recordOf('key', again))).toEqual({
          known: recordOf('key', first, { answer }),
        });
        expect(await found(again)).toBeUndefined();
      });
    });

    test('mark the notifications to their phones when they are claimed, and no others', async () => {
      const due = [phone, other, null].map((to, index) =>
        paymentNumber(index, { phone: to, next_attempt_at: past }),
      );
      const failed = paymentNumber(4, { phone, notification_status: 'failed', reason: 'expired' });
      for (const payment of [...due, failed]) await store.insert(payment);
      await store.putSuppression(optOut());
      const claimed = (await store.claimDue(10)).toSorted((a, b) => a.amount_minor - b.amount_minor);
      expect(claimed.map(({ suppressed }) => suppressed)).toEqual([true, undefined, undefined]);
      expect(await store.claim(failed)).toMatchObject({ suppressed: true, reason: 'expired' });
    });

    describe('update, given a phone that was suppressed after the payment', () => {
      test('refuses an attempt that was begun, and writes nothing of it', async () => {
        const payment = paymentNumber(1, { phone });
        await store.insert(payment);
        await store.putSuppression(optOut());
        const begun = startAttempt(payment, 'Twilio');
        const refused = store.update(begun, undefined, payment);
        await expect(refused).rejects.toBeInstanceOf(RecipientSuppressed);
        await expect(refused).rejects.toMatchObject({ payment: begun });
        expect(await found(payment)).toStrictEqual(payment);
        const ended = suppress(begun);
        await store.update(ended, undefined, payment);
        expect(await found(payment)).toStrictEqual(ended);
      });

      test('writes the outcome of an attempt that was made before', async () => {
        const begun = attemptTo(1);
        await store.insert(begun);
        await store.putSuppression(optOut());
        const sent = endAttempt(begun, { outcome: 'accepted', message_id: 'SM1' }, 7);
        await store.update(sent, undefined, begun);
        expect(await found(sent)).toStrictEqual(sent);
      });

      test('refuses only that one of the updates that arrive together', async () => {
        const payments = [phone, other, null].map((to, index) => paymentNumber(index, { phone: to }));
        for (const payment of payments) await store.insert(payment);
        await store.putSuppression(optOut());
        const results = await Promise.allSettled(
          payments.map((payment) => store.update(startAttempt(payment, 'Twilio'), undefined, payment)),
        );
        expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
      });
    });

    describe('are learned from', () => {
      const learned = {
        phone,
        source: 'opt_out',
        provider: 'Twilio',
        payment_id: paymentNumber(1).payment_id,
      };

      test.each([
        'twilio_21610',
        'opted_out',
        'blocked',
      ])('a rejection for %s, with the update that has it', async (reason) => {
        const begun = attemptTo(1);
        await store.insert(begun);
        const failed = endAttempt(begun, { outcome: 'rejected', reason }, 7);
        await store.update(failed, undefined, begun);
        expect(await suppressionOf(phone)).toMatchObject({ ...learned, reason });
      });

      test('a receipt, with the amendment that has it', async () => {
        const begun = attemptTo(1);
        await store.insert(begun);
        const sent = endAttempt(begun, { outcome: 'accepted', message_id: 'SM1' }, 7);
        await store.update(sent, undefined, begun);
        const refused = applyReceipt(
          sent,
          {
            provider: 'Twilio',
            message_id: 'SM1',
            idempotency_key: `${sent.payment_id}-1`,
            status: 'refused',
            reason: 'twilio_21610',
          },
          'resend',
        ) as Payment;
        await store.amend(refused, sent);
        expect(await suppressionOf(phone)).toMatchObject({ ...learned, reason: 'twilio_21610' });
      });

      test('nothing that is no opt-out: a wrong number, an outcome that was known before, a phone that has changed since', async () => {
        const wrong = attemptTo(1);
        await store.insert(wrong);
        await store.update(
          endAttempt(wrong, { outcome: 'rejected', reason: 'twilio_21614' }, 7),
          undefined,
          wrong,
        );
        const known = settleAttempt(attemptTo(2), 0, optedOut);
        await store.insert(known);
        await store.update({ ...known, retries: 1 }, undefined, known);
        const moved = attemptTo(3);
        await store.insert(moved);
        const toAnother = { ...settleAttempt(moved, 0, optedOut), phone: other };
        await store.update(toAnother, undefined, moved);
        expect(await store.listSuppressions({ limit: 9, starting_after: undefined })).toMatchObject({
          suppressions: [],
        });
      });

      test('no update that is refused', async () => {
        const begun = attemptTo(1);
        await store.insert(begun);
        const late = { ...endAttempt(begun, optedOut, 7), fence: begun.fence + 1 };
        await expect(store.update(late, undefined, begun)).rejects.toBeInstanceOf(LeaseLost);
        expect(await suppressionOf(phone)).toBeUndefined();
      });

      test('each of the payments that arrive together, once for a phone', async () => {
        const phones = Array.from({ length: 40 }, (_, index) => `+5730000000${10 + (index % 20)}`);
        const begun = phones.map((each, index) => attemptTo(index, { phone: each }));
        await Promise.all(begun.map((payment) => store.insert(payment)));
        await Promise.all(
          begun.map((payment) => store.update(endAttempt(payment, optedOut, 7), undefined, payment)),
        );
        const page = await store.listSuppressions({ limit: 100, starting_after: undefined });
        expect(page?.suppressions.map((each) => each.phone).sort()).toEqual([...new Set(phones)].sort());
      });

      test('nothing instead of what an admin has set', async () => {
        const begun = attemptTo(1);
        await store.insert(begun);
        const set = ofAdmin();
        await store.putSuppression(set);
        await store.update(endAttempt(begun, optedOut, 7), undefined, begun);
        expect(await suppressionOf(phone)).toStrictEqual(set);
      });
    });

    test('outlive the phone of the customer and the redaction of the payment', async () => {
      await store.putPhone(customer('ana'), phone);
      await store.putSuppression(optOut());
      const payment = startAttempt(paymentNumber(1, { customer_id: 'ana', created_at: past }), 'Aldeamo');
      await store.insert(payment);
      await store.deletePhone(customer('ana'));
      expect(await store.redact(Date.now(), 10)).toBe(1);
      expect(await suppressionOf(phone)).toBeDefined();
      await store.putPhone(customer('ana'), phone);
      expect(await store.insert(attemptTo(2, { phone: null, customer_id: 'ana' }))).toEqual({
        phone,
        suppressed: true,
      });
    });
  });
}

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { newSuppression } from '../../src/domain/suppression.ts';
import type { EventRecording } from '../../src/store/events.ts';
import { LeaseLost, type Store } from '../../src/store/store.ts';
import { customer } from './customer.ts';
import { paymentNumber, recordOf } from './store-contract.ts';

const phone = '+573001234567';
const ana = customer('ana');
const metadata = { email: 'ana@example.com' };
const answer = { status: 202, body: '{"notification":{"message":"Pago recibido"}}' };
const none = { last: null, open: [], leased: 0, erased: 0, answers: 0, events: 0, suppressed: false };

export interface ErasureStoreOptions {
  leaseMs: number;
  events?: EventRecording;
  clientsIsolated?: boolean;
}

/** The part of the store's contract that is about the rights of a person. `open` opens an empty store. */
export function describeErasure(
  name: string,
  open: (options: ErasureStoreOptions) => Store | Promise<Store>,
): void {
  describe(`${name}: the erasure of a customer`, () => {
    let store: Store;
    const reopen = async (options: Omit<ErasureStoreOptions, 'leaseMs'>) => {
      await store.close();
      store = await open({ leaseMs: 10_000, ...options });
    };
    beforeEach(async () => {
      store = await open({ leaseMs: 10_000 });
    });
    afterEach(() => store.close());

    const ofAna = (number: number, fields: Partial<Payment> = {}) =>
      paymentNumber(number, { customer_id: 'ana', phone, metadata, reference: 'order-1', ...fields });

    /** A payment of ana's whose SMS was accepted, as it is stored. */
    async function insertSent(number: number, fields: Partial<Payment> = {}): Promise<Payment> {
      const begun = startAttempt(ofAna(number, fields), 'Twilio');
      await store.insert(begun, recordOf(`key-${number}`, begun));
      const sent = endAttempt(begun, { outcome: 'accepted', message_id: `SM${number}` }, 7);
      await store.update(sent, answer, begun);
      return sent;
    }
    const erased = (payment: Payment): Payment => ({
      ...payment,
      ...{ message: null, phone: null, metadata: null, fence: payment.fence + 1 },
      attempts: payment.attempts.map((attempt) => ({ ...attempt, phone_last4: null })),
      actions: payment.actions.map((action) => ({ ...action, reason: null })),
    });
    const find = ({ payment_id }: Payment) => store.find(payment_id);
    const eraseAll = (limit = 10) => store.eraseNext(ana, undefined, limit);
    const eventsLeft = async () => (await store.readEvents({ after: undefined, limit: 100 }))?.events ?? [];

    test('takes text, phones and metadata from ended payments and their answers, and leaves the rest as it is', async () => {
      const sent = await insertSent(1);
      const failed = ofAna(2, { notification_status: 'failed', reason: 'expired' });
      const other = ofAna(3, { customer_id: 'bea', notification_status: 'sent' });
      await store.insert(failed);
      await store.insert(other, recordOf('key-3', other, { answer }));
      expect(await eraseAll()).toEqual({ ...none, erased: 2, answers: 1 });
      expect(await find(sent)).toStrictEqual(erased(sent));
      expect(await find(failed)).toStrictEqual(erased(failed));
      expect(await find(other)).toStrictEqual(other);
      expect(await store.findKey('key-1')).toEqual(recordOf('key-1', sent));
      expect(await store.findKey('key-3')).toEqual(recordOf('key-3', other, { answer }));
    });

    test('takes the reasons that operators gave, and leaves who did what', async () => {
      const sent = await insertSent(1, {
        actions: ['maria', 'noc'].map((by) => ({
          ...{ at: '2026-01-02T00:00:00.000Z', by, action: 'resend' as const },
          ...{ reason: 'Ana has a new number', provider: null, request: null },
        })),
      });
      await eraseAll();
      expect(await find(sent)).toStrictEqual(erased(sent));
    });

    test('given what is erased already, changes and counts nothing', async () => {
      const sent = await insertSent(1);
      await eraseAll();
      expect(await eraseAll()).toEqual(none);
      expect(await find(sent)).toStrictEqual(erased(sent));
      expect(await store.eraseNext(customer('unknown'), undefined, 10)).toEqual(none);
    });

    test('given what was redacted before, takes its metadata', async () => {
      const sent = await insertSent(1);
      await store.redact(Date.now(), 10);
      expect(await eraseAll()).toMatchObject({ erased: 1, answers: 1 });
      expect(await find(sent)).toMatchObject({
        message: null,
        phone: null,
        metadata: null,
        reference: 'order-1',
      });
    });

    test('given what was redacted before and had no metadata, takes the reasons that operators gave', async () => {
      const sent = await insertSent(1, {
        metadata: null,
        actions: [
          {
            ...{ at: '2026-01-02T00:00:00.000Z', by: 'maria', action: 'resend' as const },
            ...{ reason: 'Ana has a new number', provider: null, request: null },
          },
        ],
      });
      await store.redact(Date.now(), 10);
      expect(await eraseAll()).toMatchObject({ erased: 1 });
      expect((await find(sent))?.actions).toMatchObject([{ by: 'maria', reason: null }]);
      expect(await eraseAll()).toEqual(none);
    });

    test('never stores an answer again, also one that was under way, and keeps the status of the first', async () => {
      const sent = await insertSent(1);
      const late = ofAna(2, { notification_status: 'sent' });
      await store.insert(late, recordOf('key-2', late));
      await eraseAll();
      const again = { status: 201, body: '{"message":"with a text"}' };
      expect(await store.storeAnswer(sent.payment_id, again)).toEqual({ ...again, status: 202 });
      expect(await store.storeAnswer(late.payment_id, again)).toEqual(again);
      const current = (await find(late)) as Payment;
      await store.update(current, again, current);
      for (const [number, payment] of [sent, late].entries())
        expect(await store.findKey(`key-${number + 1}`)).toEqual(recordOf(`key-${number + 1}`, payment));
      expect(await eraseAll()).toEqual(none);
    });

    test('returns open payments, and leaves them as they are', async () => {
      const pending = ofAna(1, { next_attempt_at: '2998-01-01T00:00:00.000Z' });
      const held = ofAna(2, { notification_status: 'held', reason: 'phone_unknown' });
      const running = startAttempt(ofAna(3), 'Aldeamo');
      for (const payment of [pending, held, running]) await store.insert(payment);
      const open = [pending, held, running].map(({ payment_id }) => payment_id);
      expect(await eraseAll()).toEqual({ ...none, open });
      for (const payment of [pending, held, running]) expect(await find(payment)).toStrictEqual(payment);
    });

    test('counts an ended payment that a worker has leased, and erases it once the lease has ended', async () => {
      const failed = ofAna(1, { notification_status: 'failed', reason: 'expired' });
      await store.insert(failed);
      const claimed = await store.claim(failed);
      expect(await eraseAll()).toEqual({ ...none, leased: 1 });
      expect(await find(failed)).toStrictEqual({ ...failed, fence: claimed.fence });
      await store.update(claimed, undefined, claimed);
      expect(await eraseAll()).toEqual({ ...none, erased: 1 });
    });

    test('rejects what was begun on an older copy, so that no phone comes back', async () => {
      const sent = await insertSent(1);
      await eraseAll();
      await expect(store.amend({ ...sent, reason: 'no_receipt' }, sent)).rejects.toBeInstanceOf(LeaseLost);
      await expect(store.update(sent, undefined, sent)).rejects.toBeInstanceOf(LeaseLost);
      const current = (await find(sent)) as Payment;
      await store.amend({ ...current, notification_status: 'delivered' }, current);
      expect(await find(sent)).toMatchObject({
        notification_status: 'delivered',
        phone: null,
        message: null,
      });
    });

    test('goes through the payments in steps, from the oldest on', async () => {
      for (let number = 1; number <= 5; number += 1) await insertSent(number);
      const first = await eraseAll(2);
      expect(first).toMatchObject({ erased: 2, last: paymentNumber(2).payment_id });
      const second = await store.eraseNext(ana, first.last ?? undefined, 2);
      expect(second).toMatchObject({ erased: 2, last: paymentNumber(4).payment_id });
      expect(await store.eraseNext(ana, second.last ?? undefined, 2)).toEqual({
        ...none,
        erased: 1,
        answers: 1,
      });
      expect(await eraseAll(100)).toEqual(none);
    });

    test('leaves suppressions, and says that a phone has one', async () => {
      const given = {
        phone,
        source: 'opt_out',
        reason: 'STOP',
        provider: 'Twilio',
        payment_id: null,
      } as const;
      await insertSent(1);
      const { suppression } = await store.putSuppression(newSuppression(given));
      expect(await eraseAll()).toMatchObject({ erased: 1, suppressed: true });
      expect(await store.findSuppression({ phone })).toEqual(suppression);
      expect(await eraseAll()).toEqual(none);
    });

    test('deletes the events of ended payments from the feed, but for a cancellation, which loses its metadata', async () => {
      await reopen({ events: 'feed' });
      await insertSent(1);
      const held = ofAna(2, { notification_status: 'held', reason: 'phone_unknown' });
      await store.insert(held);
      const bea = ofAna(3, { customer_id: 'bea', notification_status: 'sent' });
      await store.insert(bea);
      expect(await eraseAll()).toMatchObject({ erased: 1, events: 1 });
      await store.amend({ ...held, notification_status: 'cancelled' }, held);
      expect(await eraseAll()).toMatchObject({ erased: 1, events: 1 });
      expect((await eventsLeft()).map(({ type, data }) => [type, JSON.parse(data).metadata])).toEqual([
        ['payment.notification.sent', metadata],
        ['payment.notification.cancelled', {}],
      ]);
      expect(await eraseAll()).toEqual(none);
    });

    test('takes the metadata from events that are still to be delivered, and deletes them once they are', async () => {
      await reopen({ events: 'webhooks' });
      await insertSent(1);
      const [before] = await eventsLeft();
      expect(await eraseAll()).toMatchObject({ erased: 1, events: 0 });
      const [claimed] = await store.claimWebhooks(1, 1000);
      const withoutMetadata = { ...JSON.parse(before?.data ?? ''), metadata: {} };
      expect(JSON.parse(claimed?.data ?? '')).toEqual(withoutMetadata);
      const { event_id = '' } = claimed ?? {};
      await store.settleWebhooks([{ event_id, tries: 0, status: 'delivered' }]);
      expect(await eraseAll()).toEqual({ ...none, events: 1 });
      expect(await eventsLeft()).toEqual([]);
    });

    test('given clients that are isolated, is about the payments of one of them alone', async () => {
      await reopen({ clientsIsolated: true });
      const clients = ['shop', 'portal', null];
      for (const [index, client] of clients.entries()) await insertSent(index, { client });
      const idsOf = (client: string | null) => store.listIds(customer('ana', client), undefined, 10);
      for (const [index, client] of clients.entries()) {
        expect(await idsOf(client)).toEqual([paymentNumber(index).payment_id]);
        expect(await store.eraseNext(customer('ana', client), undefined, 10)).toMatchObject({ erased: 1 });
      }
      expect(await idsOf('another')).toEqual([]);
    });

    test('given clients that are not isolated, is about the payments of all of them', async () => {
      for (const [index, client] of ['shop', 'portal', null].entries()) await insertSent(index, { client });
      expect(await store.eraseNext(customer('ana', 'another'), undefined, 10)).toMatchObject({ erased: 3 });
    });

    test('lists the ids of its payments, newest first, from one of them on', async () => {
      const statuses = ['sent', 'pending', 'failed', 'held', 'cancelled', 'delivered'] as const;
      for (const [number, notification_status] of statuses.entries())
        await store.insert(ofAna(number, { notification_status }));
      await store.insert(ofAna(9, { customer_id: 'bea' }));
      const id = (number: number) => paymentNumber(number).payment_id;
      expect(await store.listIds(ana, undefined, 10)).toEqual([5, 4, 3, 2, 1, 0].map(id));
      expect(await store.listIds(ana, id(4), 2)).toEqual([3, 2].map(id));
      expect(await store.listIds(ana, id(0), 2)).toEqual([]);
    });
  });
}

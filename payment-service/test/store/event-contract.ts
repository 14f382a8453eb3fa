import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startAttempt } from '../../src/domain/attempts.ts';
import { type EventType, eventDataSchema, type PaymentEvent } from '../../src/domain/events.ts';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { viewPayment } from '../../src/domain/payment-view.ts';
import { newSuppression } from '../../src/domain/suppression.ts';
import type {
  ClaimedWebhook,
  EventPosition,
  EventRecording,
  WebhookDelivery,
  WebhookSettlement,
  WebhookStatus,
} from '../../src/store/events.ts';
import { LeaseLost, RecipientSuppressed, type Store } from '../../src/store/store.ts';
import { customer } from './customer.ts';
import { paymentNumber, recordOf } from './store-contract.ts';

const leaseMs = 10_000;
const phone = '+573001234567';
const start = Date.parse('2026-03-01T12:00:00.000Z');
const minute = 60_000;

const accepted: Attempt = {
  provider: 'Twilio',
  outcome: 'accepted',
  reason: null,
  message_id: 'SM1',
  started_at: '2026-01-01T00:00:00.000Z',
  duration_ms: 7,
  mode: 'live',
  phone_last4: '4567',
  deliveries: [],
};
const unknown: Attempt = {
  ...accepted,
  ...{ provider: 'Aldeamo', outcome: 'unknown', reason: 'deadline_passed', message_id: null },
};

const changed = (payment: Payment, fields: Partial<Payment>): Payment => ({
  ...payment,
  updated_at: new Date(Date.parse(String(payment.updated_at)) + 1000).toISOString(),
  ...fields,
});
const sent = (payment: Payment, attempts = [accepted]) =>
  changed(payment, { notification_status: 'sent', notification_service: 'Twilio', attempts });
const delivered = (payment: Payment) => changed(payment, { notification_status: 'delivered' });
const failed = (payment: Payment) => changed(payment, { notification_status: 'failed', reason: 'expired' });
const held = (number: number, fields: Partial<Payment> = {}) =>
  paymentNumber(number, { notification_status: 'held', reason: 'phone_unknown', ...fields });

const numbersTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

const optOut = () =>
  newSuppression({ phone, source: 'opt_out', reason: 'STOP', provider: 'Twilio', payment_id: null });

/** An event as it is stored, but for its id. */
function eventOf(payment: Payment, type: EventType) {
  const { actions: _actions, ...view } = viewPayment(payment);
  const { message: _message, attempts: _attempts, ...notification } = view.notification;
  return {
    event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
    payment_id: payment.payment_id,
    type,
    data: JSON.stringify({ ...view, notification }),
    created_at: payment.updated_at,
  };
}

const idOf = ({ event_id }: { event_id: string }) => event_id;
const typesOf = (events: PaymentEvent[]) => events.map(({ type }) => type.split('.').at(-1));
/** From this number on, payments mark the end of what a test has recorded. */
const firstMark = 1_000_000;
const isMark = ({ payment_id }: PaymentEvent) => payment_id >= held(firstMark).payment_id;

/**
 * The part of the store's contract that is about events. `open` opens an empty store. `setClock` sets the clock of a store that
 * does not go by that of the process; undefined for the real time.
 */
export function describeEvents(
  name: string,
  open: (leaseMs: number, events: EventRecording) => Store | Promise<Store>,
  setClock: (now: number | undefined) => Promise<void> = async () => {},
): void {
  let store: Store;
  let marks = 0;

  const read = async (after?: EventPosition, limit = 1000) => {
    const page = await store.readEvents({ after, limit });
    if (!page) throw new Error('the place was not reached');
    return page;
  };

  /**
   * Returns the events so far. It records one more and waits for that, because other transactions in the cluster can hold the
   * feed back.
   */
  async function recorded(): Promise<PaymentEvent[]> {
    const mark = held(firstMark + marks, { updated_at: '2999-01-01T00:00:00.000Z' });
    const { payment_id } = mark;
    await store.insert(mark);
    marks += 1;
    const find = async () => {
      const { events } = await read();
      return events.some((event) => event.payment_id === payment_id) && events;
    };
    const events = await vi.waitUntil(find, { timeout: 10_000, interval: 5 });
    return events.filter((event) => !isMark(event));
  }

  async function insert(payment: Payment): Promise<Payment> {
    await store.insert(payment);
    return payment;
  }
  async function update(payment: Payment, before: Payment): Promise<Payment> {
    await store.update(payment, undefined, before);
    return payment;
  }
  /** A payment with the event that it was sent. */
  const send = async (number: number, fields: Partial<Payment> = {}) => {
    const payment = await insert(paymentNumber(number, fields));
    return update(sent(payment, [accepted]), payment);
  };

  const sendEach = async (...numbers: number[]) => {
    for (const number of numbers) await send(number);
  };

  describe(`${name}: the recording of events`, () => {
    beforeEach(async () => {
      store = await open(leaseMs, 'feed');
    });
    afterEach(() => store.close());

    test('given a change of the notification status by an update, records it without the text, the phone and the attempts', async () => {
      const payment = await insert(paymentNumber(1, { phone }));
      const after = await update(sent(payment), payment);
      const events = await recorded();
      expect(events).toStrictEqual([eventOf(after, 'payment.notification.sent')]);
      const data = eventDataSchema.parse(JSON.parse(String(events[0]?.data)));
      expect(data).toMatchObject({ notification_status: 'sent', amount: 0.01 });
      expect(events[0]?.data).not.toMatch(/Pago|3001234567|4567|SM1/);
    });

    test('given a change by an amendment, records it after those of the updates', async () => {
      const before = await send(1);
      const after = delivered(before);
      await store.amend(after, before);
      expect(await recorded()).toStrictEqual([
        eventOf(before, 'payment.notification.sent'),
        eventOf(after, 'payment.notification.delivered'),
      ]);
    });

    test('given a new payment, records that it is held, and nothing if it is pending', async () => {
      await insert(paymentNumber(1));
      await insert(startAttempt(paymentNumber(2), 'Aldeamo'));
      const payment = await insert(held(3));
      expect(await recorded()).toStrictEqual([eventOf(payment, 'payment.notification.held')]);
    });

    test.each<[string, Partial<Payment>]>([
      ['its own phone', { phone }],
      ["its customer's phone", { customer_id: 'ana' }],
    ])('given a new payment and a suppression of %s, records that it failed, instead of what it was to be', async (_, fields) => {
      await store.putPhone(customer('ana'), phone);
      await store.putSuppression(optOut());
      const payment = startAttempt(paymentNumber(1, fields), 'Aldeamo');
      await store.insert(payment);
      const waiting = held(2, fields);
      await store.insert(waiting);
      const events = await recorded();
      expect(typesOf(events)).toEqual(['failed', 'failed']);
      expect(events.map(({ payment_id }) => payment_id)).toEqual([payment.payment_id, waiting.payment_id]);
      expect(JSON.parse(String(events[0]?.data))).toMatchObject({
        notification_status: 'failed',
        notification: { reason: 'suppressed' },
      });
      expect(events[0]?.data).not.toContain('300');
    });

    test('given a suppression, records what became of the payments to other phones that arrive together', async () => {
      await store.putSuppression(optOut());
      await Promise.all([
        store.insert(held(1, { phone: '+573009999999' })),
        store.insert(held(2, { phone })),
        store.insert(held(3)),
        store.insert(paymentNumber(4)),
      ]);
      const events = (await recorded()).toSorted((a, b) => (a.payment_id < b.payment_id ? -1 : 1));
      expect(typesOf(events)).toEqual(['held', 'failed', 'held']);
    });

    test('given a change of something else, records nothing', async () => {
      const payment = await send(1);
      const again = await update(changed(payment, { retries: 1, reason: 'no_receipt' }), payment);
      await store.amend(changed(again, { asks: 1 }), again);
      expect(typesOf(await recorded())).toEqual(['sent']);
    });

    test('given a possible duplicate, records it after the status, once', async () => {
      const begun = await insert(paymentNumber(1));
      const twice = await update(sent(begun, [unknown, accepted]), begun);
      await update(delivered(twice), twice);
      const events = await recorded();
      expect(events).toStrictEqual([
        eventOf(twice, 'payment.notification.sent'),
        eventOf(twice, 'payment.possible_duplicate'),
        eventOf(delivered(twice), 'payment.notification.delivered'),
      ]);
      expect(new Set(events.map(idOf)).size).toBe(3);
    });

    test('given an update without the payment as it was before, records the events of a new one', async () => {
      const payment = await insert(held(1));
      await store.update(payment);
      await store.update(paymentNumber(1));
      expect(typesOf(await recorded())).toEqual(['held', 'held']);
    });

    test('given a write that is refused, records nothing of it', async () => {
      const first = await insert(paymentNumber(1, { phone }));
      await store.insert(paymentNumber(2), recordOf('key', paymentNumber(2)));
      await store.putSuppression(optOut());
      for (const fields of [{}, { phone }]) {
        expect(await store.insert(held(3, fields), recordOf('key', held(3)))).toHaveProperty('known');
      }
      const stale = { ...failed(first), fence: 9 };
      await expect(store.update(stale, undefined, first)).rejects.toBeInstanceOf(LeaseLost);
      await expect(store.amend(stale, { ...first, fence: 9 })).rejects.toBeInstanceOf(LeaseLost);
      const begun = startAttempt(first, 'Aldeamo');
      await expect(store.update(begun, undefined, held(1))).rejects.toBeInstanceOf(RecipientSuppressed);
      await expect(store.insert(held(1))).rejects.toThrow();
      expect(await recorded()).toEqual([]);
    });

    test('given many payments at once, records all changes, those of each payment in their order', async () => {
      const numbers = Array.from({ length: 100 }, (_, index) => index);
      await Promise.all(
        numbers.map(async (number) => {
          const payment = await insert(paymentNumber(number));
          const twice = await update(sent(payment, [unknown, accepted]), payment);
          await store.amend(delivered(twice), twice);
        }),
      );
      const events = await recorded();
      const of = Map.groupBy(events, ({ payment_id }) => payment_id);
      expect(of.size).toBe(100);
      for (const each of of.values())
        expect(typesOf(each)).toEqual(['sent', 'possible_duplicate', 'delivered']);
    });

    test('given that it is off, records nothing', async () => {
      await store.close();
      store = await open(leaseMs, 'off');
      await send(1);
      await insert(held(2));
      expect(await read()).toEqual({ events: [], position: undefined, has_more: false });
      expect(await store.countWebhooks()).toEqual({ pending: 0, dead: 0, oldest_at: null });
    });

    test('given that it is for the feed alone, makes no deliveries', async () => {
      await send(1);
      const [event] = (await recorded()) as [PaymentEvent];
      expect(await store.claimWebhooks(10, leaseMs)).toEqual([]);
      expect(await store.countWebhooks()).toEqual({ pending: 0, dead: 0, oldest_at: null });
      const query = { limit: 10, starting_after: undefined, status: undefined };
      expect(await store.listWebhooks(query)).toEqual({ deliveries: [], has_more: false });
      expect(await store.replayWebhook(event.event_id)).toBeUndefined();
      expect(await store.replayDeadWebhooks(0, 10)).toBe(0);
      await store.settleWebhooks([
        { event_id: event.event_id, tries: 0, status: 'dead', reason: 'http_500' },
      ]);
      expect(await store.countWebhooks()).toMatchObject({ dead: 0 });
    });
  });

  describe(`${name}: the feed of events`, () => {
    beforeEach(async () => {
      store = await open(leaseMs, 'feed');
    });
    afterEach(() => store.close());

    test('is read in pages, oldest first, without gaps, and goes on where it ended', async () => {
      await sendEach(1, 2, 3, 4, 5);
      await recorded(); // is the sixth
      const pages = [];
      let after: EventPosition | undefined;
      for (;;) {
        const page = await read(after, 2);
        pages.push(page);
        after = page.position;
        if (!page.has_more) break;
      }
      expect(pages.map(({ events }) => events.length)).toEqual([2, 2, 2]);
      expect(pages.flatMap(({ events }) => events)).toStrictEqual((await read()).events);
      expect(await read(after)).toEqual({ events: [], position: after, has_more: false });
      await send(6);
      await recorded();
      const { events } = await read(after);
      expect(events[0]?.payment_id).toBe(paymentNumber(6).payment_id);
    });

    test('is empty at first, and at no place', async () => {
      expect(await read()).toEqual({ events: [], position: undefined, has_more: false });
    });

    describe('of one client', () => {
      const heldOf = (number: number, client: string | null) => held(number, { client });
      const insertAll = (payments: Payment[]) =>
        Promise.all(payments.map((payment) => store.insert(payment)));
      /** The numbers of the payments, and whether there may be more, of each page up to the last. */
      async function pagesOf(client: string, limit: number) {
        const pages: { numbers: number[]; has_more: boolean }[] = [];
        let after: EventPosition | undefined;
        for (;;) {
          const page = await store.readEvents({ after, client, limit });
          if (!page) throw new Error('the place was not reached');
          const { events, position, has_more } = page;
          pages.push({ numbers: events.map(({ payment_id }) => Number(payment_id.slice(4))), has_more });
          if (!has_more) return pages;
          expect(position).not.toEqual(after);
          after = position;
        }
      }

      test('has the events of its payments alone, in their order, in pages up to the limit', async () => {
        for (const [index, client] of ['shop', 'portal', null, 'shop', 'portal', 'shop'].entries())
          await store.insert(heldOf(index + 1, client));
        await recorded();
        expect(await pagesOf('shop', 2)).toEqual([
          { numbers: [1, 4], has_more: true },
          { numbers: [6], has_more: false },
        ]);
        expect(await pagesOf('shop', 3)).toEqual([
          { numbers: [1, 4, 6], has_more: true }, // the event of another is behind them
          { numbers: [], has_more: false },
        ]);
        expect((await pagesOf('portal', 100)).flatMap(({ numbers }) => numbers)).toEqual([2, 5]);
        expect((await pagesOf('', 100)).flatMap(({ numbers }) => numbers)).toEqual([]);
      });

      test('goes on behind a page that is full of the events of others', { timeout: 30_000 }, async () => {
        await insertAll(numbersTo(1500).map((number) => heldOf(number, 'portal')));
        await store.insert(heldOf(2000, 'shop'));
        const pages = await vi.waitUntil(
          async () => {
            const found = await pagesOf('shop', 10);
            return found.some(({ numbers }) => numbers.length > 0) && found;
          },
          { timeout: 10_000, interval: 5 },
        );
        expect(pages.map(({ numbers }) => numbers)).toEqual([[], [2000]]);
        const first = await store.readEvents({ after: undefined, client: 'shop', limit: 10 });
        expect(first?.recorded_at).toBe(heldOf(1, 'portal').updated_at);
      });
    });

    test('given a place that it has not reached, is none', async () => {
      await send(1);
      await recorded();
      const { position } = await read();
      const number = Number.MAX_SAFE_INTEGER;
      for (const transaction of new Set(['0', String(position?.transaction)]))
        expect(await store.readEvents({ after: { transaction, number }, limit: 10 })).toBeUndefined();
    });

    test('loses its oldest events to retention, and no others, and goes on after a place that was deleted', async () => {
      for (const number of [1, 2, 3, 4])
        await send(number, { updated_at: new Date(start + number * minute).toISOString() });
      await recorded();
      const { position } = await read(undefined, 1);
      const since = (number: number) => start + number * minute + 1000;
      expect(await store.deleteEvents(since(1), 10)).toBe(0);
      expect(await store.deleteEvents(since(4), 2)).toBe(2);
      const left = (await read()).events.map(({ payment_id }) => payment_id);
      expect(left.slice(0, 2)).toEqual([paymentNumber(3).payment_id, paymentNumber(4).payment_id]);
      expect((await read(position)).events.map(({ payment_id }) => payment_id)).toEqual(left);
      expect(await store.deleteEvents(since(4), 10)).toBe(1);
      expect(await store.deleteEvents(since(5), 1)).toBe(1);
    });

    test('given that all events are deleted, keeps its places', async () => {
      await send(1);
      await recorded();
      const { position } = await read();
      expect(await store.deleteEvents(Date.parse('3000-01-01'), 10)).toBe(2);
      expect(await read(position)).toEqual({ events: [], position, has_more: false });
      await send(2);
      await recorded();
      const { events } = await read(position);
      expect(events[0]?.payment_id).toBe(paymentNumber(2).payment_id);
    });
  });

  describe(`${name}: webhook deliveries`, () => {
    beforeEach(async () => {
      vi.useFakeTimers({ now: start, toFake: ['Date'] });
      await setClock(start);
      store = await open(leaseMs, 'webhooks');
    });
    afterEach(async () => {
      vi.useRealTimers();
      await setClock(undefined);
      await store.close();
    });
    const pass = async (ms: number) => {
      vi.setSystemTime(Date.now() + ms);
      await setClock(Date.now());
    };
    const after = (ms: number) => new Date(Date.now() + ms).toISOString();

    const claim = (limit = 100) => store.claimWebhooks(limit, leaseMs);
    const claimOne = async () => {
      const claimed = await claim();
      expect(claimed).toHaveLength(1);
      const [{ event_id, tries, type }] = claimed as [(typeof claimed)[0]];
      return { event_id, tries, type: type.split('.').at(-1) };
    };
    const list = async (status?: WebhookStatus): Promise<WebhookDelivery[]> =>
      (await store.listWebhooks({ limit: 100, starting_after: undefined, status }))?.deliveries ?? [];
    const pagesOf = async (status: WebhookStatus | undefined) => {
      const pages: WebhookDelivery[][] = [];
      let starting_after: string | undefined;
      for (;;) {
        const page = await store.listWebhooks({ limit: 2, starting_after, status });
        pages.push(page?.deliveries ?? []);
        if (!page?.has_more) return pages;
        starting_after = page.deliveries.at(-1)?.event_id;
      }
    };
    const found = async (id: string) => (await list()).find(({ event_id }) => event_id === id);
    const deliver = ({ event_id, tries }: { event_id: string; tries: number }) =>
      store.settleWebhooks([{ event_id, tries, status: 'delivered' }]);
    const fail = ({ event_id, tries }: { event_id: string; tries: number }, wait_ms = minute) =>
      store.settleWebhooks([{ event_id, tries, status: 'pending', reason: 'http_500', wait_ms }]);
    const giveUp = ({ event_id, tries }: { event_id: string; tries: number }) =>
      store.settleWebhooks([{ event_id, tries, status: 'dead', reason: 'http_404' }]);

    test('are due at once, and leased to the one that claims them until the lease has expired', async () => {
      const payment = await send(1);
      const [claimed, ...others] = await claim();
      expect(claimed).toStrictEqual({ ...eventOf(payment, 'payment.notification.sent'), tries: 0 });
      expect(others).toEqual([]);
      expect(await claim()).toEqual([]);
      await pass(leaseMs - 1);
      expect(await claim()).toEqual([]);
      await pass(1);
      expect(await claim()).toStrictEqual([claimed]);
    });

    test('are claimed in the order in which they became due, up to the limit', async () => {
      for (const number of [3, 1, 2]) {
        await send(number);
        await pass(1);
      }
      const ofPayments = async (limit: number) =>
        (await claim(limit)).map(({ payment_id }) => Number(payment_id.slice(4))).toSorted();
      expect(await ofPayments(2)).toEqual([1, 3]);
      expect(await ofPayments(2)).toEqual([2]);
    });

    test('are claimed by one of those that claim at once', async () => {
      await Promise.all(Array.from({ length: 100 }, (_, number) => send(number)));
      const claims = await Promise.all(Array.from({ length: 20 }, () => claim(10)));
      expect(claims.flat().length).toBeLessThanOrEqual(100);
      for (let more = await claim(10); more.length > 0; more = await claim(10)) claims.push(more);
      const ids = claims.flat().map(idOf);
      expect(ids).toHaveLength(100);
      expect(new Set(ids).size).toBe(100);
    });

    test('of one payment are claimed one after the other, each when the one before is delivered', async () => {
      const payment = await insert(paymentNumber(1));
      const twice = await update(sent(payment, [unknown, accepted]), payment);
      await store.amend(delivered(twice), twice);
      for (const type of ['sent', 'possible_duplicate', 'delivered']) {
        const claimed = await claimOne();
        expect(claimed.type).toBe(type);
        expect(await claim()).toEqual([]);
        await deliver(claimed);
      }
      expect(await claim()).toEqual([]);
    });

    test('that fail are due again after their wait, and hold up the later ones of their payment, and no others', async () => {
      const payment = await send(1);
      const first = await claimOne();
      await update(delivered(payment), payment);
      await send(2);
      await pass(5);
      await fail(first);
      expect(await found(first.event_id)).toEqual({
        event_id: first.event_id,
        type: 'payment.notification.sent',
        payment_id: payment.payment_id,
        ...{ status: 'pending', tries: 1, reason: 'http_500' },
        ...{ tried_at: after(0), next_try_at: after(minute), created_at: payment.updated_at },
      });
      const other = await claimOne();
      expect(other.event_id).not.toBe(first.event_id);
      await deliver(other);
      await pass(minute - 1);
      expect(await claim()).toEqual([]);
      await pass(1);
      const again = await claimOne();
      expect(again).toEqual({ ...first, tries: 1 });
      await deliver(again);
      // At once, though it was passed over before.
      expect((await claimOne()).type).toBe('delivered');
    });

    test('given that one is passed over again and again, is claimed as soon as the one before it is dead', async () => {
      const payment = await send(1);
      await update(delivered(payment), payment);
      for (const tries of [0, 1, 2]) {
        const first = await claimOne();
        expect(first).toMatchObject({ type: 'sent', tries });
        await fail(first);
        expect(await claim()).toEqual([]);
        await pass(minute);
      }
      const last = await claimOne();
      await giveUp(last);
      expect(await found(last.event_id)).toMatchObject({
        ...{ status: 'dead', tries: 4, reason: 'http_404', tried_at: after(0), next_try_at: null },
      });
      expect((await claimOne()).type).toBe('delivered');
    });

    test('given many that wait, pass over the later ones of their payments, and claim those of other payments', async () => {
      const payments = await Promise.all(Array.from({ length: 50 }, (_, number) => send(number)));
      for (const claimed of await claim()) await fail(claimed);
      for (const payment of payments) await update(delivered(payment), payment);
      await pass(1);
      await send(99);
      const others = await claim(1);
      expect(others.map(({ payment_id }) => payment_id)).toEqual([paymentNumber(99).payment_id]);
      for (const each of others) await deliver(each);
      await pass(minute);
      expect(typesOf(await claim())).toEqual(Array(50).fill('sent'));
    });

    test('that are due later than any wait lasts, by a clock that was ahead, are brought forward with the notifications', async () => {
      await sendEach(1, 2, 3, 4);
      const [late, later, waiting] = (await claim()) as [ClaimedWebhook, ClaimedWebhook, ClaimedWebhook];
      const day = 24 * 60 * minute;
      await fail(late, 2 * day);
      await fail(later, 400 * day);
      await fail(waiting, day);
      expect(await store.bringForward(minute, 1)).toBe(0);
      expect((await claim()).map(idOf)).toEqual([late.event_id]);
      await store.bringForward(minute, 10);
      expect((await claim()).map(idOf)).toEqual([later.event_id]);
      await store.bringForward(minute, 10);
      expect(await claim()).toEqual([]);
    });

    test('that are released are due at once, and no try of theirs is counted', async () => {
      await send(1);
      const { event_id, tries, type } = await claimOne();
      await store.settleWebhooks([{ event_id, tries, status: 'released' }]);
      expect(await found(event_id)).toMatchObject({ status: 'pending', tries: 0, tried_at: null });
      expect(await claimOne()).toEqual({ event_id, tries: 0, type });
    });

    test('that are delivered have no reason and no next try', async () => {
      await send(1);
      const claimed = await claimOne();
      await fail(claimed, 0);
      const again = await claimOne();
      await pass(3);
      await deliver(again);
      expect(await found(claimed.event_id)).toMatchObject({
        ...{ status: 'delivered', tries: 2, reason: null, tried_at: after(0), next_try_at: null },
      });
    });

    test('given a try that ends after another one has, heed it only if it delivered the event', async () => {
      await send(1);
      const late = await claimOne();
      await pass(leaseMs);
      await fail(await claimOne());
      await fail(late, 0);
      await giveUp(late);
      await store.settleWebhooks([{ ...late, status: 'released' }]);
      expect(await found(late.event_id)).toMatchObject({ status: 'pending', tries: 1, reason: 'http_500' });
      expect(await claim()).toEqual([]);
      await deliver(late);
      expect(await found(late.event_id)).toMatchObject({ status: 'delivered', tries: 2 });
    });

    test('given a try that ends once the delivery is no longer pending, stay as they are', async () => {
      await sendEach(1, 2);
      const [one, two] = (await claim()) as [ClaimedWebhook, ClaimedWebhook];
      await deliver(one);
      await giveUp(two);
      const before = await list();
      for (const event of [one, two]) {
        for (const tries of [0, 1]) {
          await fail({ ...event, tries });
          await giveUp({ ...event, tries });
          await store.settleWebhooks([{ event_id: event.event_id, tries, status: 'released' }]);
          await deliver({ ...event, tries });
        }
      }
      expect(await list()).toEqual(before);
      await deliver({ event_id: 'evt_unknown', tries: 0 });
    });

    test.each<[string, (failed: WebhookSettlement, delivered: WebhookSettlement) => WebhookSettlement[]]>([
      ['the one that failed first', (failed, delivered) => [failed, delivered]],
      ['the one that delivered it first', (failed, delivered) => [delivered, failed]],
    ])('given two tries that end together, since it was replayed meanwhile, %s, is delivered', async (_what, ends) => {
      await send(1);
      const [end] = (await claim()).map(({ event_id }) => ({ event_id, tries: 0 }));
      if (!end) throw new Error('nothing was claimed');
      const failed = { ...end, status: 'pending', reason: 'http_500', wait_ms: minute } as const;
      await store.settleWebhooks(ends(failed, { ...end, status: 'delivered' }));
      expect(await found(end.event_id)).toMatchObject({ status: 'delivered', reason: null });
    });

    test('are settled many at a time, each its own way', async () => {
      await sendEach(1, 2, 3, 4);
      const claimed = await claim();
      const ends = [
        { status: 'delivered' },
        { status: 'pending', reason: 'timeout', wait_ms: 5 },
        { status: 'dead', reason: 'http_410' },
        { status: 'released' },
      ] as const;
      await store.settleWebhooks(
        claimed.map(({ event_id }, index) => ({ event_id, tries: 0, ...ends[index] }) as WebhookSettlement),
      );
      const states = await Promise.all(claimed.map(({ event_id }) => found(event_id)));
      expect(states).toMatchObject([
        { status: 'delivered', tries: 1 },
        { status: 'pending', tries: 1, reason: 'timeout', next_try_at: after(5) },
        { status: 'dead', tries: 1, reason: 'http_410' },
        { status: 'pending', tries: 0, next_try_at: after(0) },
      ]);
      await store.settleWebhooks([]);
    });

    test('are listed newest first, all or those of a status', async () => {
      await sendEach(1, 2, 3, 4, 5);
      const [one, two] = (await claim()).toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
      await deliver(one as ClaimedWebhook);
      await giveUp(two as ClaimedWebhook);
      const all = await list();
      expect(all.map(({ payment_id }) => Number(payment_id.slice(4)))).toEqual([5, 4, 3, 2, 1]);
      expect(all.map(({ status }) => status)).toEqual([...Array(3).fill('pending'), 'dead', 'delivered']);
      for (const status of ['pending', 'dead', 'delivered'] as const)
        expect(await list(status)).toEqual(all.filter((each) => each.status === status));
    });

    test('are listed in pages without gaps', async () => {
      await sendEach(1, 2, 3, 4, 5);
      await Promise.all((await claim()).map(giveUp));
      await sendEach(6, 7, 8, 9, 10);
      await Promise.all((await claim()).map(deliver));
      await sendEach(11, 12, 13, 14, 15);
      for (const status of ['pending', 'dead', 'delivered'] as const) {
        const pages = await pagesOf(status);
        expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
        expect(pages.flat()).toEqual(await list(status));
      }
      expect((await pagesOf(undefined)).flat()).toEqual(await list());
    });

    test('are not listed after an event that there is not', async () => {
      await send(1);
      for (const starting_after of ['evt_unknown', '', '\0'])
        expect(await store.listWebhooks({ limit: 1, starting_after, status: undefined })).toBeUndefined();
    });

    test('are replayed from their first try on, due now, whatever became of them', async () => {
      await sendEach(1, 2, 3);
      const claimed = await claim();
      const [one, two, three] = claimed as [ClaimedWebhook, ClaimedWebhook, ClaimedWebhook];
      await deliver(one);
      await giveUp(two);
      await fail(three);
      await pass(7);
      for (const { event_id, payment_id } of claimed) {
        expect(await store.replayWebhook(event_id)).toMatchObject({
          ...{ event_id, payment_id, status: 'pending', tries: 0, reason: null, next_try_at: after(0) },
        });
        expect(await found(event_id)).toMatchObject({ status: 'pending', tries: 0 });
      }
      expect((await claim()).map(idOf).toSorted()).toEqual(claimed.map(idOf).toSorted());
      for (const id of ['evt_unknown', '', '\0']) expect(await store.replayWebhook(id)).toBeUndefined();
    });

    test('that are dead are replayed since a time, up to the limit, and no others', async () => {
      for (const number of [1, 2, 3, 4, 5])
        await send(number, { updated_at: new Date(start + number * minute).toISOString() });
      const [fifth, ...others] = (await claim()).toSorted((a, b) => (a.payment_id > b.payment_id ? -1 : 1));
      for (const each of others) await giveUp(each);
      if (fifth) await fail(fifth, 2 * minute);
      const since = start + 2 * minute + 1000;
      expect(await store.replayDeadWebhooks(since, 2)).toBe(2);
      expect(await store.replayDeadWebhooks(since, 2)).toBe(1);
      expect(await store.replayDeadWebhooks(since, 2)).toBe(0);
      expect((await list('dead')).map(({ payment_id }) => payment_id)).toEqual([paymentNumber(1).payment_id]);
      const again = await claim();
      expect(again.map(({ payment_id }) => Number(payment_id.slice(4))).toSorted()).toEqual([2, 3, 4]);
      expect(again.map(({ tries }) => tries)).toEqual([0, 0, 0]);
    });

    test('are counted, with the time of the oldest that is pending', async () => {
      expect(await store.countWebhooks()).toEqual({ pending: 0, dead: 0, oldest_at: null });
      const payments = [];
      for (const number of [1, 2, 3])
        payments.push(await send(number, { updated_at: new Date(start + number * minute).toISOString() }));
      const oldest = async () => (await store.countWebhooks()).oldest_at;
      expect(await store.countWebhooks()).toMatchObject({ pending: 3, dead: 0 });
      expect(await oldest()).toBe(payments[0]?.updated_at);
      const [one, , three] = (await claim()).toSorted((a, b) => (a.payment_id < b.payment_id ? -1 : 1));
      expect(await store.countWebhooks()).toMatchObject({ pending: 3, dead: 0 });
      if (one) await giveUp(one);
      if (three) await deliver(three);
      expect(await store.countWebhooks()).toEqual({
        ...{ pending: 1, dead: 1, oldest_at: payments[1]?.updated_at },
      });
    });

    test('are deleted with their events, also those that are pending or dead', async () => {
      await sendEach(1, 2);
      const [one] = await claim(1);
      if (one) await giveUp(one);
      expect(await store.deleteEvents(start, 10)).toBe(2);
      expect(await store.countWebhooks()).toEqual({ pending: 0, dead: 0, oldest_at: null });
      expect(await list()).toEqual([]);
    });
  });
}

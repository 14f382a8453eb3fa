import { problemSchema } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { eventSchema } from '../../src/domain/events.ts';
import { readCursor, writeCursor } from '../../src/webhooks/event-cursor.ts';
import { body, build, day, hold, paymentOf, post, refused } from '../fixture.ts';

const pageSchema = z.strictObject({
  data: z.array(eventSchema),
  cursor: z.string(),
  has_more: z.boolean(),
});

const buildFeed = () => build({ events: { recording: 'feed' } });
const get = (app: Server, query: Record<string, string | number> = {}) =>
  app.inject({ url: '/events', query: query as Record<string, string> });
const pay = async (app: Server, fields = {}) => paymentOf(await app.inject(post({ ...body, ...fields })));

async function read(app: Server, query: Record<string, string | number> = {}) {
  const response = await get(app, query);
  expect([response.statusCode, response.headers['content-type']]).toEqual([
    200,
    'application/json; charset=utf-8',
  ]);
  const page = pageSchema.parse(response.json());
  expect(response.json()).toEqual(page); // no field that the schema lacks
  return { ...page, ids: page.data.map(({ id }) => id) };
}

async function refusal(app: Server, query: Record<string, string | number>) {
  const response = await get(app, query);
  const { type, detail, errors } = problemSchema.parse(response.json());
  return { status: response.statusCode, type, detail, errors };
}

describe('GET /events', () => {
  test('returns each change of a notification, oldest first, without text, phone, attempts and actions', async () => {
    const { app, clients } = await buildFeed();
    clients.Aldeamo.answer = async () => refused;
    const payment = await pay(app, { message: 'Secreto', phone: '+573001234567' });
    const idempotency_key = `${payment.payment_id}-2`;
    const receipt = { provider: 'Twilio', message_id: 'Twilio-1', idempotency_key, status: 'delivered' };
    await app.inject({ ...post({ ...receipt, reason: null }), url: '/receipts' });
    const { data, has_more } = await read(app);
    const { notification, actions: _actions, ...fields } = payment;
    const { message: _message, attempts: _attempts, ...rest } = notification;
    expect(data[0]).toEqual({
      id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      type: 'payment.notification.sent',
      timestamp: payment.updated_at,
      data: { ...fields, notification: rest },
    });
    expect(data.slice(1)).toMatchObject([
      { type: 'payment.notification.delivered', data: { notification_status: 'delivered' } },
    ]);
    expect(has_more).toBe(false);
    expect(JSON.stringify(data)).not.toMatch(/Secreto|3001234567/);
  });

  test('returns an amount of 16 digits as it was paid', async () => {
    const { app } = await buildFeed();
    await app.inject(post('{"amount":90071992547409.91,"customer_id":"1"}'));
    expect((await get(app)).body).toContain('"amount":90071992547409.91,');
  });

  test('given the cursor of each page, returns every event once, in order, while payments go on', async () => {
    const { app, store } = await buildFeed();
    const seen: string[] = [];
    let after: string | undefined;
    for (const paid of [3, 0, 2, 0, 0, 4, 0, 0, 0, 0]) {
      for (let count = 0; count < paid; count += 1) await pay(app);
      const { ids, cursor } = await read(app, { limit: 2, ...(after && { after }) });
      seen.push(...ids);
      after = cursor;
    }
    const all = await store.readEvents({ after: undefined, limit: 100 });
    expect(seen).toHaveLength(9);
    expect(seen).toEqual(all?.events.map(({ event_id }) => event_id));
  });

  test('returns an event that was recorded after the page of its cursor was read, with the payment under way then', async () => {
    const { app, clients } = await buildFeed();
    const { letGo, called } = hold(clients.Aldeamo);
    const paying = pay(app);
    await called;
    const { cursor } = await read(app);
    letGo();
    const payment = await paying;
    expect((await read(app, { after: cursor })).data).toMatchObject([
      { data: { payment_id: payment.payment_id } },
    ]);
  });

  test('returns up to 100 events by default, and 1000 at most', async () => {
    const { app, store } = await buildFeed();
    const readEvents = vi.spyOn(store, 'readEvents');
    for (const query of [{}, { limit: 1 }, { limit: 1000 }]) await read(app, query);
    expect(readEvents.mock.calls.map(([{ limit }]) => limit)).toEqual([100, 1, 1000]);
    for (const limit of [0, 1001, 'x', -1, '1e2'])
      expect(await refusal(app, { limit })).toMatchObject({
        status: 400,
        errors: [{ path: 'limit', message: 'must be a whole number from 1 to 1000' }],
      });
  });

  test('has a cursor for an empty page, which continues with the next event, also from an empty feed', async () => {
    const { app } = await buildFeed();
    const empty = await read(app);
    expect(empty).toMatchObject({ data: [], has_more: false });
    await pay(app);
    const first = await read(app, { after: empty.cursor });
    expect(first.ids).toHaveLength(1);
    const none = await read(app, { after: first.cursor });
    expect(none.ids).toEqual([]);
    await pay(app);
    expect((await read(app, { after: none.cursor })).ids).toHaveLength(1);
  });

  test.each([
    'none',
    'evt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
    '',
  ])('given %j as `after`, is a 400 that names it', async (after) => {
    const { app } = await buildFeed();
    expect(await refusal(app, { after, limit: 0 })).toMatchObject({
      status: 400,
      errors: [
        { path: 'after', message: 'must be a `cursor` of this feed' },
        { path: 'limit', message: expect.any(String) },
      ],
    });
  });

  test('given a place that the database has not reached, as once it is restored, is a 410', async () => {
    const { app } = await buildFeed();
    await pay(app);
    const after = writeCursor({ position: { transaction: '0', number: 9 }, at: Date.now() });
    expect(await refusal(app, { after })).toMatchObject({ status: 410, type: '/problems/cursor-expired' });
  });

  test('given events that are not recorded, is a 409 that names the settings, whatever was recorded before', async () => {
    const { app, store } = await build();
    const readEvents = vi.spyOn(store, 'readEvents');
    expect(await refusal(app, {})).toEqual({
      status: 409,
      type: '/problems/events-off',
      detail: 'No events are recorded. EVENTS=true turns the feed on, and so does WEBHOOK_URL.',
      errors: undefined,
    });
    expect(readEvents).not.toHaveBeenCalled();
  });
});

describe('a cursor of GET /events', () => {
  afterEach(() => void vi.useRealTimers());
  const atTime = (cursor: string) => readCursor(cursor)?.at;
  /** Lets time pass by the wall clock alone, so that the outbox of the app, which does not trust it, deletes nothing. */
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

  /** A feed with two events that were recorded an hour apart, and its clock. */
  async function buildAged() {
    vi.useFakeTimers({ toFake: ['Date'] });
    const built = await buildFeed();
    await pay(built.app);
    pass(3_600_000);
    await pay(built.app);
    const deleteUntil = (ms: number) => built.store.deleteEvents(Date.now() - ms, 1000);
    return { ...built, deleteUntil };
  }

  test('is of the time of the last event if there are more, else of the time of the request', async () => {
    const { app } = await buildAged();
    pass(1000);
    const { cursor, data } = await read(app, { limit: 1 });
    expect(atTime(cursor)).toBe(Date.parse(data[0]?.timestamp ?? ''));
    const last = await read(app, { after: cursor });
    expect(atTime(last.cursor)).toBe(Date.now());
    pass(1000);
    const none = await read(app, { after: last.cursor });
    expect(atTime(none.cursor)).toBe(Date.now());
    expect(readCursor(none.cursor)?.position).toEqual(readCursor(last.cursor)?.position);
  });

  test('given one older than the retention, whose event is deleted, is a 410 with what to do', async () => {
    const { app, deleteUntil } = await buildAged();
    const { cursor } = await read(app, { limit: 1 });
    pass(30 * day - 1_800_000);
    expect(await deleteUntil(30 * day)).toBe(1);
    expect(await refusal(app, { after: cursor })).toEqual({
      status: 410,
      type: '/problems/cursor-expired',
      detail:
        'Events after this cursor may have been deleted, or the database was restored. Begin again without `after`, and ignore the events whose `id` you know.',
      errors: undefined,
    });
    expect((await read(app)).ids).toHaveLength(1);
  });

  test('given one of the beginning that is older than the retention, is a 410', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { app } = await buildFeed();
    const { cursor } = await read(app);
    pass(30 * day);
    expect((await refusal(app, { after: cursor })).status).toBe(410);
  });

  test('given one older than the retention whose event is not deleted yet, returns what follows it', async () => {
    const { app } = await buildAged();
    const { cursor, ids } = await read(app, { limit: 1 });
    pass(60 * day);
    const rest = await read(app, { after: cursor });
    expect(rest.ids).toHaveLength(1);
    expect(rest.ids).not.toEqual(ids);
  });

  test('is valid for as long as it is passed on, however long there are no events', async () => {
    const { app, deleteUntil } = await buildAged();
    let { cursor } = await read(app);
    for (let month = 0; month < 3; month += 1) {
      pass(29 * day);
      cursor = (await read(app, { after: cursor })).cursor;
    }
    expect(await deleteUntil(30 * day)).toBe(2);
    const payment = await pay(app);
    expect((await read(app, { after: cursor })).data).toMatchObject([
      { data: { payment_id: payment.payment_id } },
    ]);
  });
});

import { problemSchema } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test, vi } from 'vitest';
import type { Endpoint } from '../../src/webhooks/endpoint.ts';
import { body, build, paymentOf, post } from '../fixture.ts';

type Answer = Awaited<ReturnType<Endpoint['post']>>;

const taken: Answer = { result: 'taken' };
const gone: Answer = { result: 'gone' };
const failed: Answer = { result: 'failed', reason: 'http_500' };

/** The app with an endpoint that gives these answers in turn, and then the last of them again. */
async function buildWith(...answers: Answer[]) {
  const received: string[] = [];
  const built = await build({
    events: { recording: 'webhooks' },
    webhook: async ({ event_id }) => {
      received.push(event_id);
      return answers[Math.min(received.length, answers.length) - 1] as Answer;
    },
  });
  return { ...built, received };
}
type Built = Awaited<ReturnType<typeof buildWith>>;

const pay = async (app: Server) => paymentOf(await app.inject(post(body)));
const list = async (app: Server, query = '') => (await app.inject(`/webhook-deliveries${query}`)).json();
const replay = (app: Server, id: string) =>
  app.inject({ method: 'POST', url: `/webhook-deliveries/${id}/replay` });
const replaySince = (app: Server, payload: unknown) =>
  app.inject({ ...post(payload), url: '/webhook-deliveries/replay' });
const untilReceived = (received: string[], count: number) =>
  vi.waitFor(() => expect(received).toHaveLength(count), { timeout: 5000 });
const untilSettled = (app: Server, status: string, count: number) =>
  vi.waitFor(async () => expect((await list(app, `?status=${status}`)).data).toHaveLength(count), {
    timeout: 5000,
  });

/** Pays, and has each event be dead, as if all its tries had failed like the first one. */
async function payInVain({ app, store }: Built, count: number): Promise<string[]> {
  for (let number = 0; number < count; number += 1) await pay(app);
  const deliveries = await vi.waitFor(
    async () => {
      const { data } = await list(app);
      expect(data.map(({ tries }: { tries: number }) => tries)).toEqual(Array(count).fill(1));
      return data as { event_id: string }[];
    },
    { timeout: 5000 },
  );
  const end = { tries: 1, status: 'dead', reason: 'http_500' } as const;
  await store.settleWebhooks(deliveries.map(({ event_id }) => ({ event_id, ...end })));
  return deliveries.map(({ event_id }) => event_id);
}

describe('an event', () => {
  test('is delivered without a wait for the next look of the worker', async () => {
    const { app, received } = await buildWith(taken);
    const before = performance.now();
    for (const count of [1, 2, 3, 4, 5]) {
      await pay(app);
      await untilReceived(received, count);
    }
    expect(performance.now() - before).toBeLessThan(2000); // five looks take 2500 ms
  });

  test('given that the app stops while its delivery is under way, is delivered and recorded before the store closes', async () => {
    const delivered = Promise.withResolvers<Answer>();
    const called = Promise.withResolvers<void>();
    const { app, store } = await build({
      events: { recording: 'webhooks' },
      webhook: () => {
        called.resolve();
        return delivered.promise;
      },
    });
    const settleWebhooks = vi.spyOn(store, 'settleWebhooks');
    await pay(app);
    await called.promise;
    const closed = app.close();
    delivered.resolve(taken);
    await closed;
    expect(settleWebhooks.mock.calls).toEqual([[[expect.objectContaining({ status: 'delivered' })]]]);
    await expect(settleWebhooks.mock.results[0]?.value).resolves.toBeUndefined();
  });
});

describe('GET /webhook-deliveries', () => {
  test('lists what became of each event, newest first, in pages and by status', async () => {
    const { app } = await buildWith(failed, taken);
    const first = await pay(app);
    await untilSettled(app, 'pending', 1);
    const second = await pay(app);
    await untilSettled(app, 'delivered', 1);
    const { data, has_more } = await list(app);
    const common = {
      event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      type: 'payment.notification.sent',
      tries: 1,
      tried_at: expect.stringMatching(/Z$/),
      created_at: expect.stringMatching(/Z$/),
    };
    expect(data).toEqual([
      { ...common, payment_id: second.payment_id, status: 'delivered', reason: null, next_try_at: null },
      {
        ...common,
        payment_id: first.payment_id,
        status: 'pending',
        reason: 'http_500',
        next_try_at: expect.stringMatching(/Z$/),
      },
    ]);
    expect(has_more).toBe(false);
    const [{ event_id }] = data;
    expect(await list(app, '?limit=1')).toEqual({ data: [data[0]], has_more: true });
    expect(await list(app, `?limit=1&starting_after=${event_id}`)).toEqual({
      data: [data[1]],
      has_more: false,
    });
    expect((await list(app, '?status=dead')).data).toEqual([]);
  });

  test.each([
    ['?starting_after=evt_x', 'starting_after', 'must be the id of an event'],
    ['?status=gone', 'status', 'must be one of pending, delivered, dead'],
    ['?limit=101', 'limit', 'must be a whole number from 1 to 100'],
  ])('given %s, is a 400 that names it', async (query, path, message) => {
    const { app } = await buildWith(taken);
    expect(await list(app, query)).toMatchObject({ status: 400, errors: [{ path, message }] });
  });
});

describe('POST /webhook-deliveries/:event_id/replay', () => {
  test('given a dead letter, delivers it again, and logs it', async () => {
    const built = await buildWith(failed, taken);
    const { app, received, lines } = built;
    const [id = ''] = await payInVain(built, 1);
    const response = await replay(app, id);
    expect([response.statusCode, response.json()]).toEqual([
      202,
      expect.objectContaining({ event_id: id, status: 'pending', tries: 0, reason: null }),
    ]);
    await untilReceived(received, 2);
    await untilSettled(app, 'delivered', 1);
    expect(received).toEqual([id, id]);
    expect(lines).toContainEqual(expect.objectContaining({ event_id: id, msg: 'webhook delivery replayed' }));
  });

  test('given an event that was delivered, delivers it once more', async () => {
    const { app, received } = await buildWith(taken);
    await pay(app);
    await untilSettled(app, 'delivered', 1);
    const [id = ''] = received;
    expect((await replay(app, id)).statusCode).toBe(202);
    await untilReceived(received, 2);
    expect(received).toEqual([id, id]);
  });

  test('given an endpoint that had answered 410, has the deliveries go on', async () => {
    const { app, received } = await buildWith(gone, taken);
    await pay(app);
    await untilReceived(received, 1);
    await pay(app);
    const [, first] = (await list(app)).data;
    expect((await replay(app, first.event_id)).statusCode).toBe(202);
    await untilSettled(app, 'delivered', 2);
    expect(received).toHaveLength(3);
  });

  test('given an unknown id, is a 404', async () => {
    const { app } = await buildWith(taken);
    const response = await replay(app, 'evt_x');
    expect([response.statusCode, problemSchema.parse(response.json()).type]).toEqual([
      404,
      '/problems/webhook-delivery-not-found',
    ]);
  });
});

describe('POST /webhook-deliveries/replay', () => {
  test('delivers the dead letters since a time again, and logs how many', async () => {
    const built = await buildWith(failed, failed, failed, taken);
    const { app, received, lines } = built;
    const ids = await payInVain(built, 3);
    const [newest] = (await list(app)).data;
    const offset = new Date(Date.parse(newest.created_at) - 5 * 3_600_000)
      .toISOString()
      .replace('Z', '-05:00');
    const none = await replaySince(app, { since: new Date().toISOString() });
    expect([none.statusCode, none.json()]).toEqual([202, { replayed: 0 }]);
    const response = await replaySince(app, { since: offset });
    const { replayed } = response.json();
    expect(response.statusCode).toBe(202);
    expect(replayed).toBeGreaterThanOrEqual(1); // as many as were recorded in the millisecond of the newest
    const rest = await replaySince(app, { since: '2026-01-01T00:00:00Z' });
    expect(rest.json()).toEqual({ replayed: 3 - replayed });
    await untilSettled(app, 'delivered', 3);
    expect(received.slice(3).toSorted()).toEqual(ids.toSorted());
    expect(lines).toContainEqual(
      expect.objectContaining({ since: offset, replayed, msg: 'dead webhook deliveries replayed' }),
    );
  });

  test('replays 1000 in a commit until there are fewer', async () => {
    const { app, store } = await buildWith(taken);
    const counts = [1000, 1000, 7];
    const replayDead = vi
      .spyOn(store, 'replayDeadWebhooks')
      .mockImplementation(async () => counts.shift() ?? 0);
    const since = '2026-01-01T00:00:00Z';
    expect((await replaySince(app, { since })).json()).toEqual({ replayed: 2007 });
    expect(replayDead.mock.calls).toEqual(Array(3).fill([Date.parse(since), 1000]));
  });

  test.each([
    [{}, 'is required'],
    [{ since: 'yesterday' }, 'must be a time such as 2026-01-31T12:00:00Z (RFC 3339)'],
    [{ since: '2026-01-31T12:00:00' }, 'must be a time such as 2026-01-31T12:00:00Z (RFC 3339)'],
    [{ since: '2126-01-31T12:00:00Z' }, 'must not be in the future'],
  ])('given %j, is a 400 that names it, and replays nothing', async (payload, message) => {
    const { app, store } = await buildWith(taken);
    const replayDead = vi.spyOn(store, 'replayDeadWebhooks');
    const response = await replaySince(app, payload);
    expect([response.statusCode, response.json().errors]).toEqual([400, [{ path: 'since', message }]]);
    expect(replayDead).not.toHaveBeenCalled();
  });
});

test.each([
  'off',
  'feed',
] as const)('given no endpoint and events that are recorded as %s, each route is a 409 that names the setting', async (recording) => {
  const { app } = await build({ events: { recording } });
  const responses = [
    await app.inject('/webhook-deliveries'),
    await replay(app, 'evt_x'),
    await replaySince(app, { since: '2026-01-01T00:00:00Z' }),
  ];
  for (const response of responses)
    expect(problemSchema.parse(response.json())).toMatchObject({
      status: 409,
      type: '/problems/webhooks-off',
      detail: 'There is no webhook endpoint. WEBHOOK_URL sets one.',
    });
});

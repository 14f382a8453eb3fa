import type { InjectOptions } from 'fastify';
import { problemSchema } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test } from 'vitest';
import { build, post } from '../fixture.ts';

const phone = '+573001234567';
const reason = 'asked us by letter';

const request = (method: 'GET' | 'DELETE', url: string): InjectOptions => ({ method, url });
const to = (url: string, payload: unknown): InjectOptions => ({ ...post(payload), url });
const suppress = (app: Server, payload: unknown = { phone, reason }) =>
  app.inject(to('/suppressions', payload));
const search = async (app: Server, of: string = phone) =>
  (await app.inject(to('/suppressions/search', { phone: of }))).json().data;
const send = (app: Server, payload = {}) =>
  app.inject(post({ amount: 100, customer_id: '1', phone, ...payload }));

describe('suppressions', () => {
  test('are set, found without their phone, and deleted; meanwhile nothing is sent', async () => {
    const { app, calls } = await build();
    const set = await suppress(app);
    const { suppression_id } = set.json();
    expect(set.json()).toEqual({
      suppression_id: expect.stringMatching(/^sup_[0-9a-f]{32}$/),
      phone_last4: '4567',
      source: 'admin',
      reason,
      provider: null,
      payment_id: null,
      created_at: expect.any(String),
    });
    expect([set.statusCode, set.headers.location]).toEqual([201, `/suppressions/${suppression_id}`]);
    const url = `/suppressions/${suppression_id}`;
    expect((await app.inject(request('GET', url))).json()).toEqual(set.json());
    expect(await search(app)).toEqual([set.json()]);
    expect((await send(app)).json()).toMatchObject({ notification_status: 'failed' });
    expect(calls).toEqual([]);
    const deleted = await app.inject(request('DELETE', url));
    expect([deleted.statusCode, deleted.body]).toEqual([204, '']);
    expect(await search(app)).toEqual([]);
    expect((await send(app)).json()).toMatchObject({ notification_status: 'sent' });
  });

  test('given one for the same phone, responds 200 with that one', async () => {
    const { app } = await build();
    const first = await suppress(app);
    const again = await suppress(app, { phone: '300 123 4567', reason: 'another' });
    expect([again.statusCode, again.json()]).toEqual([200, first.json()]);
  });

  test('are listed in pages, newest first', async () => {
    const { app } = await build();
    const ids: string[] = [];
    for (const end of [1, 2, 3])
      ids.push((await suppress(app, { phone: `+57300123456${end}`, reason })).json().suppression_id);
    const first = (await app.inject(request('GET', '/suppressions?limit=2'))).json();
    expect(first).toMatchObject({
      data: [{ suppression_id: ids[2] }, { suppression_id: ids[1] }],
      has_more: true,
    });
    const next = await app.inject(request('GET', `/suppressions?limit=2&starting_after=${ids[1]}`));
    expect(next.json()).toMatchObject({ data: [{ suppression_id: ids[0] }], has_more: false });
    const unknown = await app.inject(request('GET', '/suppressions?starting_after=sup_x'));
    expect([unknown.statusCode, unknown.json().errors]).toEqual([
      400,
      [{ path: 'starting_after', message: 'must be the id of a suppression' }],
    ]);
  });

  test.each(['GET', 'DELETE'] as const)('given an unknown id, %s responds 404', async (method) => {
    const { app } = await build();
    const response = await app.inject(request(method, '/suppressions/sup_x'));
    expect([response.statusCode, problemSchema.parse(response.json()).type]).toEqual([
      404,
      '/problems/suppression-not-found',
    ]);
  });

  test.each([
    [{ reason }, 'phone'],
    [{ phone: '123', reason }, 'phone'],
    [{ phone }, 'reason'],
    [{ phone, reason: ' ' }, 'reason'],
    [{ phone, reason: 'a\nb' }, 'reason'],
    [{ phone, reason: 'x'.repeat(201) }, 'reason'],
  ])('given %j, responds 400 that names %s', async (payload, path) => {
    const { app, store } = await build();
    const response = await suppress(app, payload);
    expect([response.statusCode, response.json().errors[0].path]).toEqual([400, path]);
    expect((await store.listSuppressions({ limit: 1, starting_after: undefined }))?.suppressions).toEqual([]);
  });
});

describe('POST /opt-outs', () => {
  const optOut = (app: Server, keyword: string, fields = {}) =>
    app.inject(to('/opt-outs', { provider: 'Twilio', phone, keyword, message_id: 'SM1', ...fields }));

  test('given a STOP, suppresses the phone, once; given a START, lifts it; logs both without the phone', async () => {
    const { app, lines } = await build();
    for (const _ of [1, 2]) expect((await optOut(app, 'stop')).statusCode).toBe(204);
    expect(await search(app)).toMatchObject([
      { source: 'opt_out', reason: 'STOP', provider: 'Twilio', payment_id: null },
    ]);
    expect((await send(app)).json()).toMatchObject({ notification_status: 'failed' });
    for (const _ of [1, 2]) expect((await optOut(app, 'start')).statusCode).toBe(204);
    expect(await search(app)).toEqual([]);
    expect((await send(app)).json()).toMatchObject({ notification_status: 'sent' });
    expect(lines.filter(({ msg }) => /^(STOP|START)/.test(String(msg)))).toMatchObject([
      { provider: 'Twilio', message_id: 'SM1', is_new: true },
      { is_new: false },
      { lifted: true },
      { lifted: false },
    ]);
    expect(JSON.stringify(lines)).not.toContain('3001234567');
  });

  test('given a START, lifts an opt-out that was learned from another provider', async () => {
    const { app, clients } = await build();
    clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'blocked' });
    await send(app);
    expect(await search(app)).toMatchObject([{ provider: 'Aldeamo', reason: 'blocked' }]);
    await optOut(app, 'start');
    expect(await search(app)).toEqual([]);
  });

  test('given a START, does not lift what an admin has set, before the STOP or after it', async () => {
    const { app } = await build();
    await suppress(app);
    for (const keyword of ['stop', 'start']) await optOut(app, keyword);
    expect(await search(app)).toMatchObject([{ source: 'admin', reason }]);
    const later = '+573009999999';
    await optOut(app, 'stop', { phone: later });
    await suppress(app, { phone: later, reason });
    await optOut(app, 'start', { phone: later });
    expect(await search(app, later)).toMatchObject([{ source: 'admin', reason }]);
  });

  test.each([
    { keyword: 'help' },
    { phone: '3001234567' },
    { provider: 'X' },
    { message_id: '' },
  ])('given %j, responds 400 and changes nothing', async (fields) => {
    const { app } = await build();
    expect((await optOut(app, 'stop', fields)).statusCode).toBe(400);
    expect(await search(app)).toEqual([]);
  });
});

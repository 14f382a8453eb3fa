import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import process from 'node:process';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { snapshotSchema } from '../../src/live/snapshot.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { body, build, paymentOf, post, refused } from '../fixture.ts';

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('the live page', () => {
  const paths = [
    '/',
    '/live?payment=pmt_1&utm_source=mail',
    '/live/live-page.css',
    '/live/main.js',
    '/live/find/find.css',
    '/live/find/find.js',
    '/live/uplot/uPlot.esm.js',
    '/live/uplot/uPlot.min.css',
    '/live/eventsource-parser/index.js',
  ];
  test.each(paths)('serves %s with a strict policy, and without inline code', async (url) => {
    const { app } = await build();
    const { statusCode, headers, body } = await app.inject({ url, headers: { accept: browser } });
    expect(statusCode).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    if (headers['content-type']?.toString().startsWith('text/html'))
      expect(body).not.toMatch(/<style| style=| on\w+=|<script(?![^>]* src=)/);
  });

  test('is served over a connection without a warning of Node.js', async () => {
    const { app } = await build();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    onTestFinished(() => void process.removeListener('warning', note));
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    for (const path of paths) await (await fetch(origin + path, { headers: { connection: 'close' } })).text();
    expect(warnings).toEqual([]);
  });

  test.each([
    '/live/index.html',
    '/live/tsconfig.json',
    '/live/none.js',
    '/live/find/',
    '/live/find/none.js',
    '/live/..%2fapp.ts',
    '/live/uplot/uPlot.d.ts',
    '/live/',
  ])('does not serve %s', async (url) => {
    const { app } = await build();
    const response = await app.inject(url);
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toContain('application/problem+json');
  });
});

describe('GET /live/events', () => {
  test('streams payments, circuits and recent attempts, without texts and phones', async () => {
    const { app, clients } = await build();
    clients.Aldeamo.answer = async () => refused;
    const payload = { ...body, amount: 100.5, message: 'Secreto', phone: '+573001234567' };
    const payment = paymentOf(await app.inject(post(payload)));
    const { snapshots } = await watch(app);
    const text = (await snapshots.next()).value;
    expect(text).not.toMatch(/Secreto|3001234567/);
    const snapshot = snapshotSchema.parse(JSON.parse(text));
    expect(JSON.parse(text)).toEqual(snapshot); // no field that the schema lacks
    expect(snapshot).toMatchObject({
      status: 'healthy',
      current_notification_service: 'Aldeamo',
      circuits: { Aldeamo: { state: 'closed', consecutive_failures: 1 }, Twilio: { state: 'closed' } },
      recent: {
        Aldeamo: [{ attempts: 1, accepted: 0, failed: 1 }],
        Twilio: [{ attempts: 1, accepted: 1, failed: 0 }],
      },
      backlog: { size: 0, oldest_at: null },
      store_fault: null,
      held: {},
      dead_letters: 0,
      payments: [
        {
          payment_id: payment.payment_id,
          amount: '100.5',
          notification_service: 'Twilio',
          attempts: [{ reason: 'connection_refused' }, { outcome: 'accepted' }],
        },
      ],
    });
    await app.inject(post(body));
    expect(JSON.parse((await snapshots.next()).value).payments).toHaveLength(2);
  });

  test('shows who holds a provider and why', async () => {
    const { app } = await build();
    const hold = { reason: 'they send twice' };
    await app.inject({ method: 'PUT', url: '/providers/Aldeamo/hold', payload: hold });
    const { snapshots } = await watch(app);
    const snapshot = snapshotSchema.parse(JSON.parse((await snapshots.next()).value));
    expect(snapshot).toMatchObject({
      status: 'degraded',
      current_notification_service: 'Twilio',
      holds: { Aldeamo: { until: null, by: null, reason: 'they send twice' }, Twilio: null },
    });
  });

  test('given an unavailable store, streams null for payments and backlog', async () => {
    const { app, store } = await build();
    vi.spyOn(store, 'list').mockRejectedValue(new Error('gone'));
    const { snapshots } = await watch(app);
    expect(JSON.parse((await snapshots.next()).value)).toMatchObject({
      status: 'unhealthy',
      payments: null,
      backlog: null,
    });
  });

  test('given a store that can be read and not written, is unhealthy, and streams the cause without its text', async () => {
    const { app, store } = await build();
    const cause = new Error('attempt to write a readonly database at /secret/path');
    vi.spyOn(store, 'check').mockRejectedValue(new StoreUnavailable('no', { cause }));
    const { snapshots } = await watch(app);
    const text = (await snapshots.next()).value;
    expect(text).not.toContain('secret');
    expect(JSON.parse(text)).toMatchObject({ status: 'unhealthy', store_fault: 'read_only', payments: [] });
  });

  test('streams how many notifications are held, by reason', async () => {
    const { app } = await build({ bounds: { modeOf: () => 'live' } });
    await app.inject(post(body));
    const { snapshots } = await watch(app);
    expect(JSON.parse((await snapshots.next()).value).held).toEqual({ phone_unknown: 1 });
  });

  test('given a client that never reads, ends when the server stops', async () => {
    const { app } = await build();
    const { snapshots } = await watch(app);
    await snapshots.next();
    const idle = connect((app.server.address() as AddressInfo).port, '127.0.0.1').pause();
    onTestFinished(() => void idle.destroy());
    const arrived = once(app.server, 'request');
    idle.write('GET /live/events HTTP/1.1\r\nhost: x\r\n\r\n');
    await arrived;
    await app.close();
    expect((await snapshots.next()).done).toBe(true);
  });

  test('given 100 watchers, responds 503 until one of them disconnects', async () => {
    const { app } = await build();
    const watching = await Promise.all(Array.from({ length: 100 }, () => watch(app)));
    const { url } = await watch(app, 503);
    const refusal = await fetch(url);
    expect(refusal.headers.get('retry-after')).toBe('10');
    expect(await refusal.json()).toMatchObject({ type: '/problems/too-many-watchers' });
    watching[0]?.response.destroy();
    await vi.waitFor(() => watch(app));
  });
});

describe('POST /sandbox/:provider', () => {
  const set = (payload: unknown, provider = 'Aldeamo') =>
    ({ ...post(payload), url: `/sandbox/${provider}` }) as const;

  test('changes the sandbox settings of the provider, and streams them to watchers', async () => {
    const { app } = await build();
    const response = await app.inject(set({ failure_rate: 1 }));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ failure_rate: 1, latency_ms: 0 });
    const { snapshots } = await watch(app);
    expect(JSON.parse((await snapshots.next()).value).levers.Aldeamo).toMatchObject({ failure_rate: 1 });
  });

  test.each([
    [404, { status: 404, body: '{}' }, 404, 'sandbox-not-found'],
    [
      400,
      { status: 400, body: '{"type":"x","title":"","status":400,"detail":"no"}' },
      400,
      'invalid-request',
    ],
    [500, { status: 500, body: 'secret' }, 502, 'provider-answer-unexpected'],
    ['garbage', { status: 200, body: '{"a":' }, 502, 'provider-answer-unexpected'],
  ])('given the answer %s of the provider, responds with a problem of its own', async (_name, answer, status, name) => {
    const { app, sandboxes } = await build();
    sandboxes.Aldeamo.answer = async () => ({ retryAfter: undefined, ...answer });
    const response = await app.inject(set({ failure_rate: 1 }));
    expect(response.statusCode).toBe(status);
    expect(response.json().type).toBe(`/problems/${name}`);
    expect(response.body).not.toContain('secret');
  });

  test('given a refusal of the provider, passes its errors on, bounded and printable', async () => {
    const { app, sandboxes } = await build();
    const errors = Array.from({ length: 100 }, () => ({
      path: 'body\u0000',
      message: `\u202e${'x'.repeat(500)}`,
    }));
    const problem = { type: 'x', title: '', status: 400, detail: 'no', errors };
    sandboxes.Aldeamo.answer = async () => ({
      retryAfter: undefined,
      status: 400,
      body: JSON.stringify(problem),
    });
    const response = await app.inject(set({ failure_rate: 1 }));
    expect(response.json().errors).toEqual(
      Array(20).fill({ path: 'body\ufffd', message: `\ufffd${'x'.repeat(199)}` }),
    );
  });

  test('given an unreachable provider, responds 503', async () => {
    const { app, sandboxes } = await build();
    sandboxes.Twilio.answer = () => Promise.reject(new Error('secret'));
    const response = await app.inject(set({ failure_rate: 1 }, 'Twilio'));
    expect(response.statusCode).toBe(503);
    expect(response.body).not.toContain('secret');
  });

  test.each([
    [{ failure_rate: 2 }, 'Aldeamo'],
    [{ nonsense: 1 }, 'Aldeamo'],
    [{}, 'Other'],
  ])('given %j for %s, responds 400', async (payload, provider) => {
    const { app } = await build();
    expect((await app.inject(set(payload, provider))).statusCode).toBe(400);
  });
});

/** Watches over a real connection. The snapshots end with the stream. */
async function watch(app: Server, status = 200) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/live/events`;
  const request = httpRequest(url, { agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  onTestFinished(() => void response.destroy());
  expect(response.statusCode).toBe(status);
  response.setEncoding('utf8');
  async function* read(): AsyncGenerator<string, string> {
    let text = '';
    for await (const chunk of response) {
      const events = (text + chunk).split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) yield event.slice('data: '.length);
    }
    return text;
  }
  return { url, response, snapshots: read() };
}

import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createTestAuthority } from '../../../test/doubles/certificates.ts';
import { proxyAnswers, startConnectProxy } from '../../../test/doubles/connect-proxy.ts';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { eventually } from '../../../test/eventually.ts';
import { clientOf, serveTls, trustedAuthority } from './tls-fixture.ts';

const authority = trustedAuthority();
const accepted = { outcome: 'accepted', message_id: '200' };
/** The deadline in tests that wait until it has passed. */
const short = 400;

/** A client that reaches an https service through a proxy. */
async function throughProxy({
  timeoutMs = 10_000,
  tls = false,
  user = '',
  certificate = authority.certificate(),
} = {}) {
  const service = await serveTls(certificate);
  const proxy = await startConnectProxy(tls ? authority.certificate() : undefined);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const url = proxy.url.replace('://', `://${user}`);
  return { service, proxy, ...clientOf({ url: service.url, timeoutMs, proxy: { url, except: '' } }) };
}

describe.each([
  ['http', false],
  ['https', true],
])('the HTTP client, through a proxy of %s,', (_scheme, tls) => {
  test('sends over tunnels that it uses again, and closes idle ones', async () => {
    const { service, proxy, send, lines } = await throughProxy({ tls });
    expect(await send()).toEqual(accepted);
    await delay(20); // undici hands out a connection again a turn after its answer
    expect(await send()).toEqual(accepted);
    expect(proxy.tunnels).toEqual([
      {
        authority: `localhost:${service.port}`,
        headers: {
          host: `localhost:${service.port}`,
          connection: 'keep-alive',
          'user-agent': expect.stringMatching(/^payments-with-sms\//),
        },
      },
    ]);
    expect([proxy.others, lines]).toEqual([[], []]);
    await eventually(
      async () => service.open(),
      (open) => open === 0,
      2000,
    );
  });

  test('loses what was written when the tunnel is cut, and sends the next over another', async () => {
    const { service, proxy, send } = await throughProxy({ tls });
    expect(await send()).toEqual(accepted);
    await delay(20);
    const lost = send('/silence');
    await eventually(
      async () => service.received.length,
      (count) => count === 2,
      2000,
    );
    proxy.cut();
    expect(await lost).toEqual({ outcome: 'unknown', reason: 'connection_lost' });
    expect(await send()).toEqual(accepted);
    expect(service.opened()).toBe(2);
  });

  test.each([
    ['/half-200', { outcome: 'unknown', reason: 'connection_lost' }],
    ['/half-403', { outcome: 'not_sent', reason: 'http_403' }],
  ])('given a tunnel that is cut in the answer to %s, has what came of it', async (path, outcome) => {
    const { service, proxy, send } = await throughProxy({ tls });
    const cut = send(path);
    await eventually(
      async () => service.received.length,
      (count) => count === 1,
      2000,
    );
    await delay(50);
    proxy.cut();
    expect(await cut).toEqual(outcome);
  });

  test('sends nothing over a tunnel that breaks during the TLS handshake', async () => {
    const { service, proxy, send } = await throughProxy({ tls });
    for (const cut of [proxyAnswers.hangUp, proxyAnswers.reset]) {
      proxy.answer((request) => {
        request.socket.write('HTTP/1.1 200 OK\r\n\r\n');
        request.socket.once('data', () => cut(request));
      });
      expect(await send()).toEqual({ outcome: 'not_sent', reason: 'connection_failed' });
    }
    expect(service.received).toEqual([]);
  });
});

/** What comes of CONNECT, by the proxy's answer. */
const answers: [
  what: string,
  answer: Parameters<Awaited<ReturnType<typeof startConnectProxy>>['answer']>[0],
  reason: string,
  remedy: RegExp,
][] = [
  ['403', proxyAnswers.status(403, 'x'.repeat(100_000)), 'proxy_refused', /NO_PROXY/],
  ['302', proxyAnswers.status(302), 'proxy_refused', /NO_PROXY/],
  ['407', proxyAnswers.status(407), 'proxy_authentication_required', /user:password/],
  ['503', proxyAnswers.status(503), 'proxy_failed', /its log/],
  ['200 and a page', proxyAnswers.status(200, '<html>'), 'proxy_unreadable_answer', /scheme and port/],
  ['garbage', proxyAnswers.raw('220 smtp.example ESMTP\r\n'), 'proxy_unreadable_answer', /scheme and port/],
  [
    'headers without an end',
    proxyAnswers.raw(`HTTP/1.1 200 OK\r\na: ${'x'.repeat(1_000_000)}`),
    'proxy_unreadable_answer',
    /scheme/,
  ],
  ['an end', proxyAnswers.hangUp, 'proxy_unreachable', /cannot be reached/],
  ['a reset', proxyAnswers.reset, 'proxy_unreachable', /cannot be reached/],
  [
    'half an answer and an end',
    ({ socket }) => socket.end('HTTP/1.1 20'),
    'proxy_unreachable',
    /cannot be reached/,
  ],
];

describe('a proxy that answers CONNECT with', () => {
  test.each(
    answers,
  )('%s, gets nothing to send, and is named with a remedy once', async (_what, answer, reason, remedy) => {
    const { service, proxy, send, lines } = await throughProxy();
    proxy.answer(answer);
    expect(await Promise.all([send(), send()])).toEqual(Array(2).fill({ outcome: 'not_sent', reason }));
    expect(lines).toEqual([
      {
        fields: expect.objectContaining({ proxy: new URL(proxy.url).host, reason }),
        text: expect.stringMatching(remedy),
      },
    ]);
    expect(service.opened()).toBe(0);
    await eventually(proxy.open, (open) => open === 0, 2000);
    proxy.answer(proxyAnswers.open);
    expect(await send()).toEqual(accepted);
  });

  test.each([
    ['nothing', proxyAnswers.silence, 'proxy_timeout'],
    ['half an answer', proxyAnswers.raw('HTTP/1.1 200'), 'proxy_timeout'],
    ['a tunnel to nowhere', proxyAnswers.raw('HTTP/1.1 200 OK\r\n\r\n'), 'connect_timeout'],
  ])('%s, gets nothing to send, within the deadline', async (_what, answer, reason) => {
    const { proxy, send } = await throughProxy({ timeoutMs: short });
    proxy.answer(answer);
    const started = performance.now();
    expect(await Promise.all([send(), send()])).toEqual(Array(2).fill({ outcome: 'not_sent', reason }));
    expect(performance.now() - started).toBeLessThan(short + 2000);
    await eventually(proxy.open, (open) => open === 0, 2000);
  });
});

describe('a proxy that cannot be reached, because', () => {
  test.each([
    ['its port is closed', 'http://127.0.0.1:1', 'proxy_unreachable', 'ECONNREFUSED'],
    [
      'its name has no address',
      'http://proxy.invalid:3128',
      'proxy_unreachable',
      expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
    ],
  ])('%s, is named', async (_why, url, reason, code) => {
    const { send, lines } = clientOf({ url: 'https://localhost:1', proxy: { url, except: '' } });
    expect(await send()).toEqual({ outcome: 'not_sent', reason });
    expect(lines).toMatchObject([{ fields: { reason, code } }]);
  });

  test('it does not speak TLS, is named', async () => {
    const proxy = await startConnectProxy();
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const url = proxy.url.replace('http:', 'https:');
    const { send } = clientOf({ url: 'https://localhost:1', proxy: { url, except: '' } });
    expect(await send()).toEqual({ outcome: 'not_sent', reason: 'proxy_tls_handshake_failed' });
  });

  test('its certificate is of an unknown authority, is named', async () => {
    using unknown = createTestAuthority();
    const proxy = await startConnectProxy(unknown.issue());
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const { send, lines } = clientOf({ url: 'https://localhost:1', proxy: { url: proxy.url, except: '' } });
    expect(await send()).toEqual({ outcome: 'not_sent', reason: 'proxy_tls_ca_unknown' });
    expect(lines).toMatchObject([{ text: expect.stringContaining('NODE_EXTRA_CA_CERTS') }]);
  });
});

test('the user and the password of the proxy go to it alone, and into no line of the log', async () => {
  const { service, proxy, send, lines } = await throughProxy({ user: 'j%C3%B3se:p%40ss%3Aword@' });
  await send();
  const basic = `Basic ${Buffer.from('jóse:p@ss:word').toString('base64')}`;
  expect(proxy.tunnels[0]?.headers).toMatchObject({ 'proxy-authorization': basic });
  expect(service.headers[0]).not.toHaveProperty('proxy-authorization');
  proxy.answer(proxyAnswers.status(407));
  proxy.cut();
  await send();
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toMatch(/p@ss|p%40|j.{1,6}se/);
});

test('a certificate that has expired is named as such through a proxy', async () => {
  const { service, send } = await throughProxy({ certificate: authority.issue({ days: -1 }) });
  expect(await send()).toEqual({ outcome: 'not_sent', reason: 'tls_certificate_expired' });
  expect(service.received).toEqual([]);
});

test('tunnels that are cut without a FIN cost one deadline, and all later sends have new ones', async () => {
  const { service, proxy } = await throughProxy();
  const wire = await startTcpProxy(Number(new URL(proxy.url).port));
  onTestFinished(() => wire[Symbol.asyncDispose]());
  const url = `http://127.0.0.1:${wire.port}`;
  const { send } = clientOf({ url: service.url, timeoutMs: 600, proxy: { url, except: '' } });
  await eventually(
    () => Promise.all([send(), send()]),
    (outcomes) => outcomes.every(({ outcome }) => outcome === 'accepted'),
    5000,
  );
  wire.swallow();
  expect(await send()).toEqual({ outcome: 'unknown', reason: 'deadline_passed' });
  expect(await Promise.all([send(), send()])).toEqual([accepted, accepted]);
});

test('no more tunnels are open than the limit of connections, and a close ends the calls that wait for one', async () => {
  const { proxy, client } = await throughProxy({ timeoutMs: 1500 });
  proxy.answer(proxyAnswers.silence);
  const calls = Array.from({ length: 30 }, () => client.call({ method: 'GET', path: '/' }));
  await eventually(
    async () => proxy.tunnels.length,
    (count) => count === 20,
    1000,
  );
  await delay(100);
  expect(proxy.tunnels).toHaveLength(20);
  const started = performance.now();
  await client.close();
  expect((await Promise.allSettled(calls)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(performance.now() - started).toBeLessThan(500);
  await eventually(proxy.open, (open) => open === 0, 2000);
});

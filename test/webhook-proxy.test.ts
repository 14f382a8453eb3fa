import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createTestAuthority, type TestAuthority } from './doubles/certificates.ts';
import { type ConnectProxy, proxyAnswers, startConnectProxy } from './doubles/connect-proxy.ts';
import { type HttpDouble, type ReceivedRequest, serveDouble } from './doubles/http-double.ts';
import { startTlsFront } from './doubles/tls-front.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { spawnService, startOneService } from './one-service.ts';
import { parseLog } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

const user = 'user:hidden-word';
const encodedUser = Buffer.from(user).toString('base64');

/** A merchant's receiver that speaks TLS, and a proxy with a password, which alone leads to it. */

let authority: TestAuthority;
let receiver: HttpDouble;
let front: Awaited<ReturnType<typeof startTlsFront>>;
let host: string;
let received: ReceivedRequest[];

beforeAll(async () => {
  authority = createTestAuthority();
  receiver = await serveDouble((request, response) => {
    received.push(request);
    response.writeHead(204).end();
  });
  front = await startTlsFront(receiver.url, authority.issue());
  host = `localhost:${front.port}`;
});
afterAll(async () => {
  for (const each of [front, receiver]) await each[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

/** The settings of a company whose machines reach the Internet through this proxy. */
async function behindProxy() {
  received = [];
  const proxy = await startConnectProxy();
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const url = proxy.url.replace('://', `://${user}@`);
  const settings = {
    WEBHOOK_URL: `https://${host}/hooks`,
    WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 'k').toString('base64')}`,
    HTTPS_PROXY: url,
    HTTP_PROXY: url,
    NODE_EXTRA_CA_CERTS: authority.caFile,
  };
  return { proxy, settings };
}

const typesReceived = () => received.map(({ body }) => JSON.parse(body).type);
const authoritiesOf = ({ tunnels }: ConnectProxy) => [...new Set(tunnels.map((tunnel) => tunnel.authority))];

/** A payment that is an event though no provider is there: its phone is suppressed. */
async function payToSuppressed(url: string) {
  const phone = '+573004000001';
  await call('POST', `${url}/suppressions`, { phone, reason: 'test' });
  expect((await pay(url, { customer_id: 'proxied', phone })).body.notification_status).toBe('failed');
}

const receiveOne = () =>
  eventually(
    async () => typesReceived(),
    ({ length }) => length > 0,
    10_000,
  );

describe('webhooks behind a proxy', () => {
  test('reach the endpoint through it, and the calls between the services do not', async () => {
    const { proxy, settings } = await behindProxy();
    const trio = await startProcesses(settings);
    onTestFinished(() => trio[Symbol.asyncDispose]());
    const { body } = await pay(trio.url('payment-service'), { customer_id: 'proxied' });
    expect(body.notification_service).toBe('Aldeamo');
    expect(await receiveOne()).toEqual(['payment.notification.sent']);
    expect(received[0]?.path).toBe('/hooks');
    expect(authoritiesOf(proxy)).toEqual([host]);
    expect(proxy.tunnels[0]?.headers['proxy-authorization']).toBe(`Basic ${encodedUser}`);
    expect(proxy.others).toEqual([]);
  });

  test('reach an endpoint that NO_PROXY names without it', async () => {
    const { proxy, settings } = await behindProxy();
    const { url } = await startOneService('payment-service', {
      settings: { ...settings, NO_PROXY: 'localhost' },
    });
    await payToSuppressed(url);
    expect(await receiveOne()).toEqual(['payment.notification.failed']);
    expect([proxy.tunnels, proxy.others]).toEqual([[], []]);
  });

  test('trust an authority that a line of .env names, which Node.js itself does not read', async () => {
    const { settings } = await behindProxy();
    const { NODE_EXTRA_CA_CERTS, ...others } = settings;
    const envFile = `NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS}\n`;
    const { url } = await startOneService('payment-service', { settings: others, envFile });
    await payToSuppressed(url);
    expect(await receiveOne()).toEqual(['payment.notification.failed']);
  });

  test('that it refuses wait, with the reason in the delivery and a line in the log, without the password', async () => {
    const { proxy, settings } = await behindProxy();
    proxy.answer(proxyAnswers.status(403));
    const service = await startOneService('payment-service', { settings });
    let output = '';
    service.child.stdout?.on('data', (bytes) => {
      output += bytes;
    });
    await payToSuppressed(service.url);
    const { body } = await eventually(
      () => call<{ data: { tries: number }[] }>('GET', `${service.url}/webhook-deliveries`),
      ({ body: { data } }) => (data[0]?.tries ?? 0) > 0,
      10_000,
    );
    expect(body).toMatchObject({ data: [{ status: 'pending', reason: 'proxy_refused' }] });
    await eventually(
      async () => parseLog(output),
      (lines) => lines.some(({ level, reason }) => level === 50 && reason === 'proxy_refused'),
      5000,
    );
    expect(parseLog(output).find(({ reason }) => reason === 'proxy_refused')).toMatchObject({
      host,
      proxy: new URL(proxy.url).host,
      msg: expect.stringContaining('NO_PROXY'),
    });
    expect(output).not.toContain('hidden');
    expect(output).not.toContain(encodedUser);
    expect(received).toEqual([]);
  });
});

describe('a proxy whose URL is wrong', () => {
  const HTTPS_PROXY = `socks5://${user}@127.0.0.1:1080`;

  test('keeps a payment-service with webhooks from starting, without its password', async () => {
    const { settings } = await behindProxy();
    const { child, ended } = await spawnService('payment-service', {
      settings: { ...settings, HTTPS_PROXY },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes) => {
        output += bytes;
      });
    expect((await ended)[0]).toBe(1);
    expect(output).toContain('HTTPS_PROXY: must be an http:// or https:// URL');
    expect(output).not.toContain('hidden');
  });

  test('does not disturb one without', async () => {
    const { url } = await startOneService('payment-service', { settings: { HTTPS_PROXY } });
    await payToSuppressed(url);
  });
});

import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { accessOptions, accessSettings } from '../../src/http/access-settings.ts';
import { readConfiguration, serviceSettings } from '../../src/http/configuration.ts';
import { problemContentType } from '../../src/http/problem.ts';
import { buildTestServer } from './fixture.ts';

const schema = z.object({
  ...serviceSettings({ port: 8000 }),
  ...accessSettings(),
  PUBLIC_URL: z.string().optional(),
});

async function build(env: Record<string, string> = {}) {
  const { server } = await buildTestServer(accessOptions(readConfiguration(schema, env)));
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)
    server.route({ method, url: '/things', handler: async () => ({}) });
  return server;
}

type Headers = Record<string, string>;

describe('the Host of a request without keys', () => {
  const settings = {
    HOST: 'payments.internal',
    ALLOW_ANONYMOUS: 'true',
    ALLOWED_HOSTS: 'Pay.Example.com., ñandú.example',
    PUBLIC_URL: 'https://sms.example.com:8443/twilio',
  };
  const ask = async (host: string, url = '/things') => {
    const server = await build(settings);
    return server.inject({ url, headers: { host } });
  };

  test.each([
    ['127.0.0.1:8000'],
    ['192.168.1.7'],
    ['10.0.0.1.'],
    ['127.1'],
    ['0x7f.1:8000'],
    ['2130706433'],
    ['[::1]:8000'],
    ['[FE80::1]'],
    ['localhost'],
    ['LOCALHOST.:65535'],
    ['shop.localhost:8000'],
    ['payment-service:8000'],
    ['payment_service'],
    ['payments.internal:9'],
    ['pay.example.com'],
    ['PAY.EXAMPLE.COM.:443'],
    ['xn--and-6ma2c.example'],
    ['sms.example.com'],
  ])('given %s, is served', async (host) => {
    expect((await ask(host)).statusCode).toBe(200);
  });

  test.each([
    ['evil.example'],
    ['evil.example:8000'],
    ['1.2.3.4.nip.io'],
    ['127.0.0.1.evil.example'],
    ['localhost.evil.example'],
    ['evillocalhost.example'],
    ['example.com'],
    ['a.pay.example.com'],
    ['pay.example.com..'],
    ['1.2.3.999'],
    ['localhost:99999'],
  ])('given %s, is refused with 421', async (host) => {
    for (const url of ['/things', '/', '/health/live', '/docs/', '/openapi.json', '/metrics', '/nope']) {
      const refused = await ask(host, url);
      expect([refused.statusCode, refused.json().type], url).toEqual([421, '/problems/misdirected-request']);
      expect(refused.headers['content-type']).toBe(problemContentType);
    }
  });

  test.each([
    ['GET http://localhost/things HTTP/1.1\r\nhost: localhost', 200],
    ['GET http://evil.example/things HTTP/1.1\r\nhost: evil.example', 421],
    ['GET http://evil.example/things HTTP/1.1\r\nhost: localhost', 400],
    ['GET http://localhost/things HTTP/1.1\r\nhost: evil.example', 400],
    ['GET http://evil.example@localhost/things HTTP/1.1\r\nhost: localhost', 400],
    ['GET /things HTTP/1.1\r\nhost: localhost@evil.example', 400],
    ['GET /things HTTP/1.1\r\nhost: localhost, evil.example', 400],
    ['GET /things HTTP/1.1\r\nhost: localhost\r\nhost: evil.example', 400],
    ['GET //localhost/things HTTP/1.1\r\nhost: evil.example', 421],
    ['GET /things HTTP/1.0', 200],
  ])('given %j, the status is %i', async (head, status) => {
    const server = await build();
    await server.listen({ host: '127.0.0.1', port: 0 });
    // Another request before it, whose Host is ours.
    for (const each of ['GET /things HTTP/1.1\r\nhost: x', head]) {
      const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
      socket.write(`${each}\r\nconnection: close\r\n\r\n`);
      expect((await text(socket)).slice(9, 12)).toBe(each === head ? String(status) : '200');
    }
  });

  test('X-Forwarded-Host and Forwarded count for nothing', async () => {
    const server = await build();
    const ask = (headers: Headers) => server.inject({ url: '/things', headers });
    const own = { 'x-forwarded-host': 'localhost', forwarded: 'host=localhost' };
    expect((await ask({ host: 'evil.example', ...own })).statusCode).toBe(421);
    const foreign = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
    expect((await ask({ host: 'localhost', ...foreign })).statusCode).toBe(200);
  });

  test('given keys, is not looked at, because a page that is rebound has none', async () => {
    const server = await build({ ADMIN_API_KEY: 'key-of-the-admin-1', SERVICE_TOKEN: 'key-of-the-service' });
    const headers = { host: 'evil.example', authorization: 'Bearer key-of-the-admin-1' };
    expect((await server.inject({ url: '/things', headers })).statusCode).toBe(200);
  });
});

describe('a request that changes something', () => {
  const ask = async (headers: Headers, { env = {}, method = 'POST' as const }: AskOptions = {}) =>
    (await build(env)).inject({ method, url: '/things', headers: { host: 'localhost:8000', ...headers } });
  interface AskOptions {
    env?: Record<string, string>;
    method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET' | 'HEAD';
  }

  test.each<[string, Headers, Record<string, string>?]>([
    ['neither Origin nor Sec-Fetch-Site, as of curl or another service', {}],
    ['Sec-Fetch-Site: same-origin', { 'sec-fetch-site': 'same-origin' }],
    ['Sec-Fetch-Site: none', { 'sec-fetch-site': 'none' }],
    [
      'Sec-Fetch-Site: same-origin behind a proxy',
      { 'sec-fetch-site': 'same-origin', origin: 'https://x.io' },
    ],
    ['the origin of Host', { origin: 'http://localhost:8000' }],
    ['the origin of an IPv6 Host', { host: '[::1]:8000', origin: 'http://[::1]:8000' }],
    ['the origin of a Host with the default port', { host: '10.0.0.7:80', origin: 'http://10.0.0.7' }],
    ['the origin of Host behind TLS', { host: 'pay', origin: 'https://pay' }],
    ['the origin of Host behind TLS at a port', { host: 'pay:8443', origin: 'https://pay:8443' }],
    ['a public origin, and a Host that the proxy sets', { origin: 'http://a.io' }, { ALLOWED_HOSTS: 'a.io' }],
    ['the origin of PUBLIC_URL', { origin: 'https://a.io' }, { PUBLIC_URL: 'https://a.io/twilio' }],
  ])('given %s, is served', async (_name, headers, env = {}) => {
    expect((await ask(headers, { env })).statusCode).toBe(200);
  });

  test.each<[string, Headers, Record<string, string>?]>([
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
    ['an unknown Sec-Fetch-Site', { 'sec-fetch-site': 'same-origin, same-origin' }],
    [
      'Sec-Fetch-Site: same-site and an own Origin',
      { 'sec-fetch-site': 'same-site', origin: 'http://localhost:8000' },
    ],
    ['Origin: null, as of a sandboxed frame', { origin: 'null' }],
    ['an empty Origin', { origin: '' }],
    ['another port', { origin: 'http://localhost:9000' }],
    ['another name of this machine', { origin: 'http://127.0.0.1:8000' }],
    ['another name', { origin: 'http://evil.example:8000' }],
    ['the origin of an extension', { origin: 'chrome-extension://localhost:8000' }],
    ['another name behind TLS', { host: 'pay', origin: 'https://pay.evil.example' }],
    ['another port of a public host', { origin: 'http://a.io:9000' }, { ALLOWED_HOSTS: 'a.io' }],
    ['the address of HOST at another port', { origin: 'http://127.0.0.1:9000' }, { HOST: '127.0.0.1' }],
  ])('given %s, is refused with 403', async (_name, headers, env = {}) => {
    const keys = { ADMIN_API_KEY: 'key-of-the-admin-1', SERVICE_TOKEN: 'key-of-the-service' };
    for (const each of [env, { ...env, ...keys }])
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        const refused = await ask(
          { ...headers, authorization: 'Bearer key-of-the-admin-1' },
          { env: each, method },
        );
        expect([refused.statusCode, refused.json().type], method).toEqual([403, '/problems/cross-site']);
      }
    for (const method of ['GET', 'HEAD'] as const)
      expect((await ask(headers, { env, method })).statusCode, method).toBe(200);
  });
});

describe('ALLOWED_HOSTS', () => {
  const read = (ALLOWED_HOSTS: string) => readConfiguration(schema, { ALLOWED_HOSTS }).ALLOWED_HOSTS;

  test('is names in any case, with spaces or a dot at the end', () => {
    expect(read(' Pay.Example.com., b_c.example,ñandú.example, ')).toEqual([
      'pay.example.com',
      'b_c.example',
      'xn--and-6ma2c.example',
    ]);
  });

  test.each([
    'https://pay.example.com',
    'pay.example.com:443',
    'pay.example.com/path',
    '*.example.com',
    '.example.com',
    'a..example.com',
    'user@pay.example.com',
    'good.example,b c.example',
  ])('given %s, is refused', (value) => {
    expect(() => read(value)).toThrow('ALLOWED_HOSTS: must be host names without ports, as a,b');
  });
});

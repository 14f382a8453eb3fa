import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type AldeamoUpstream, aldeamo, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { createTestAuthority, type TestAuthority } from './doubles/certificates.ts';
import { type ConnectProxy, proxyAnswers, startConnectProxy } from './doubles/connect-proxy.ts';
import { startCollector } from './doubles/otlp-collector.ts';
import { startTlsFront } from './doubles/tls-front.ts';
import { startTwilioUpstream, type TwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings, withoutRetries } from './live-settings.ts';
import { startOneService } from './one-service.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The trio, and servers that speak the providers' own APIs over TLS, as the providers do. */

let authority: TestAuthority;
let aldeamoApi: AldeamoUpstream;
let twilioApi: TwilioUpstream;
let fronts: Awaited<ReturnType<typeof startTlsFront>>[];
let aldeamoHost: string;
let twilioHost: string;

beforeAll(async () => {
  authority = createTestAuthority();
  [aldeamoApi, twilioApi] = [await startAldeamoUpstream(), await startTwilioUpstream()];
  const certificate = authority.issue();
  fronts = [
    await startTlsFront(aldeamoApi.url, certificate),
    await startTlsFront(twilioApi.url, certificate),
  ];
  aldeamoHost = `localhost:${fronts[0]?.port}`;
  twilioHost = `127.0.0.1:${fronts[1]?.port}`;
});
afterAll(async () => {
  for (const each of [...fronts, aldeamoApi, twilioApi]) await each[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

const settings = () => ({
  ...withoutRetries,
  ...liveSettings(aldeamoApi, twilioApi),
  ALDEAMO_BASE_URL: `https://${aldeamoHost}`,
  TWILIO_BASE_URL: `https://${twilioHost}`,
  NODE_EXTRA_CA_CERTS: authority.caFile,
});

async function startProxied(
  options: Record<string, string> = {},
): Promise<{ proxy: ConnectProxy; trio: Trio }> {
  const proxy = await startConnectProxy();
  const url = proxy.url.replace('://', '://user:s3cret-word@');
  const trio = await startProcesses({ ...settings(), HTTPS_PROXY: url, HTTP_PROXY: url, ...options });
  twilioApi.callbackOrigin = trio.url('twilio-service');
  onTestFinished(async () => {
    for (const each of [trio, proxy]) await each[Symbol.asyncDispose]();
  });
  return { proxy, trio };
}

let lastPhone = 3_004_000_000;
/** One payment that Aldeamo takes, and one that fails over to Twilio. */
async function payThroughBoth(trio: Trio) {
  const payments = trio.url('payment-service');
  const first = await pay(payments, { customer_id: 'proxied', phone: `+57${++lastPhone}` });
  aldeamoApi.answerNext(aldeamo.http(503));
  const second = await pay(payments, { customer_id: 'proxied', phone: `+57${++lastPhone}` });
  return [first.body.notification_service, second.body.notification_service];
}

const authoritiesOf = ({ tunnels }: ConnectProxy) =>
  [...new Set(tunnels.map((tunnel) => tunnel.authority))].sort();

describe('the live trio behind a proxy', () => {
  test('reaches both providers through it, and nothing else', async () => {
    const collector = await startCollector();
    onTestFinished(() => collector[Symbol.asyncDispose]());
    const { proxy, trio } = await startProxied({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(await payThroughBoth(trio)).toEqual(['Aldeamo', 'Twilio']);
    for (const service of ['aldeamo-service', 'twilio-service'] as const)
      expect((await call('GET', `${trio.url(service)}/health/upstream`)).status).toBe(200);
    await expect(twilioApi.sendStatus(twilioApi.ledger.at(-1)?.sid ?? '', 'delivered')).resolves.toBe(204);
    await eventually(
      async () => collector.spans.length,
      (count) => count > 0,
      10_000,
    );

    expect(authoritiesOf(proxy)).toEqual([twilioHost, aldeamoHost].sort());
    expect(proxy.others).toEqual([]);
    expect(new Set(proxy.tunnels.map(({ headers }) => headers['proxy-authorization']))).toEqual(
      new Set([`Basic ${Buffer.from('user:s3cret-word').toString('base64')}`]),
    );
  });

  test('reaches a provider that NO_PROXY names without it', async () => {
    const { proxy, trio } = await startProxied({ NO_PROXY: 'example.com, 127.0.0.0/8' });
    expect(await payThroughBoth(trio)).toEqual(['Aldeamo', 'Twilio']);
    expect(authoritiesOf(proxy)).toEqual([aldeamoHost]);
  });

  test('given a proxy that wants another password, sends nothing, says so once, and keeps its secret', async () => {
    const { proxy, trio } = await startProxied();
    // The checks at the start have ended, so that none is cut, which would be another line.
    for (const service of ['aldeamo-service', 'twilio-service'] as const)
      await eventually(
        () => call<{ account: { state: string } }>('GET', `${trio.url(service)}/health`),
        ({ body }) => body.account.state === 'ok',
        10_000,
      );
    proxy.answer(proxyAnswers.status(407));
    proxy.cut(); // a check may have left an idle tunnel
    const payments = trio.url('payment-service');
    const sent = [aldeamoApi.sends, twilioApi.sends];
    for (let count = 0; count < 2; count += 1) {
      const { body } = await pay(payments, { customer_id: 'proxied', phone: `+57${++lastPhone}` });
      const reason = 'proxy_authentication_required';
      expect(body).toMatchObject({
        notification_status: 'pending',
        possible_duplicate: false,
        notification: {
          attempts: [
            { provider: 'Aldeamo', outcome: 'not_sent', reason },
            { provider: 'Twilio', outcome: 'not_sent', reason },
          ],
        },
      });
    }
    expect([aldeamoApi.sends, twilioApi.sends]).toEqual(sent);
    for (const service of ['aldeamo-service', 'twilio-service'] as const) {
      const lines = await eventually(
        () => trio.logs(service),
        (logged) => logged.some(({ reason }) => reason === 'proxy_authentication_required'),
        2000,
      );
      expect(lines.filter(({ level, proxy }) => level === 50 && proxy)).toMatchObject([
        { proxy: new URL(proxy.url).host, msg: expect.stringContaining('HTTPS_PROXY=http://user:password@') },
      ]);
      expect(JSON.stringify(lines)).not.toMatch(/s3cret|czNjcmV0/);
    }
  });
});

describe('the authority of a provider', () => {
  async function notifyWith(options: Parameters<typeof startOneService>[1]) {
    const { url } = await startOneService('twilio-service', options);
    const send = { message: 'Pago recibido', customer_id: '1', phone: `+57${++lastPhone}` };
    return (await call('POST', `${url}/notify`, send)).body;
  }

  test('that is not trusted is the reason for which nothing is sent', async () => {
    const withoutIt = { ...settings(), NODE_EXTRA_CA_CERTS: '' };
    expect(await notifyWith({ settings: withoutIt })).toMatchObject({
      outcome: 'not_sent',
      reason: 'tls_ca_unknown',
    });
  });

  test('may be trusted by a line of .env, which Node.js itself does not read', async () => {
    const { NODE_EXTRA_CA_CERTS, ...others } = settings();
    const envFile = `NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS}\n`;
    expect(await notifyWith({ settings: others, envFile })).toMatchObject({ status: 'sent' });
  });
});

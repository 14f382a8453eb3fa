import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ReceivedRequest, replyJson, serveDouble } from '../../test/doubles/http-double.ts';
import { startTwilioUpstream } from '../../test/doubles/twilio-upstream.ts';
import { disposing, notify, openGateway, startApp as startProviderApp } from '../../test/provider-fixture.ts';
import { twilioService } from '../src/app.ts';
import { createTwilioGateway, type TwilioOptions } from '../src/twilio-gateway.ts';

export const from = '+15005550006';

/** The gateway, before a Twilio. */
export async function startGateway(options: Partial<TwilioOptions> = {}) {
  const upstream = await disposing(startTwilioUpstream());
  const { url, accountSid, authToken } = upstream;
  const account = { accountSid, username: accountSid, password: authToken, sender: { From: from } };
  const opened = openGateway('Twilio', (limits) =>
    createTwilioGateway({ url, ...account, ...limits, ...options }),
  );
  return { upstream, ...opened };
}

export const startApp = (env: Record<string, string> = {}) => startProviderApp(twilioService, env);

/** The service, live, before a Twilio. */
export async function startLiveApp(env: Record<string, string> = {}) {
  const upstream = await disposing(startTwilioUpstream());
  const live = {
    TWILIO_ACCOUNT_SID: upstream.accountSid,
    TWILIO_AUTH_TOKEN: upstream.authToken,
    TWILIO_FROM: from,
    TWILIO_BASE_URL: upstream.url,
  };
  return { upstream, ...(await startApp({ ...live, ...env })) };
}

/** The service, live, with receipts, before a payment-service that records what is forwarded and answers as it is set. */
export async function startWithReceipts(
  publicUrl = 'https://sms.example.com',
  env: Record<string, string> = {},
) {
  const received: ReceivedRequest[] = [];
  const statuses: number[] = [];
  const payments = await disposing(
    serveDouble((request, response) => {
      received.push(request);
      const status = statuses.shift() ?? 204;
      if (status === 204) return response.writeHead(204).end();
      return replyJson(response, status, { status });
    }),
  );
  const live = await startLiveApp({
    PUBLIC_URL: publicUrl,
    PAYMENT_SERVICE_URL: payments.url,
    ...env,
  });
  live.app.server.listen(0, '127.0.0.1');
  await once(live.app.server, 'listening');
  // Like a proxy at the public URL.
  live.upstream.callbackOrigin = `http://127.0.0.1:${(live.app.server.address() as AddressInfo).port}`;

  const send = async (key = 'pmt_1-1') => {
    const response = await live.app.inject(notify(key));
    return String(response.json().message_id);
  };
  const receipts = () => received.map(({ body }) => JSON.parse(body));
  return {
    ...live,
    payments,
    received,
    receipts,
    send,
    answer: (...next: number[]) => statuses.push(...next),
  };
}

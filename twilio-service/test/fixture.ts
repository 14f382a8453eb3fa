import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startPaymentDouble } from '../../test/doubles/payment-double.ts';
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
  const payments = await disposing(startPaymentDouble());
  const live = await startLiveApp({
    PUBLIC_URL: publicUrl,
    PAYMENT_SERVICE_URL: payments.url,
    ...env,
  });
  await live.app.ready();
  live.app.server.listen(0, '127.0.0.1');
  await once(live.app.server, 'listening');
  // Like a proxy at the public URL.
  live.upstream.callbackOrigin = `http://127.0.0.1:${(live.app.server.address() as AddressInfo).port}`;

  live.upstream.inboundUrl = `${publicUrl}/webhooks/twilio/inbound`;

  const send = async (key = 'pmt_1-1') => {
    const response = await live.app.inject(notify(key));
    return String(response.json().message_id);
  };
  const { received, receipts, answer } = payments;
  return { ...live, payments, received, receipts, send, answer };
}

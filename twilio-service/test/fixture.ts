import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import type { Send } from 'service-kit/provider/gateway.ts';
import { buildProvider } from 'service-kit/provider/start-provider.ts';
import { expect, onTestFinished } from 'vitest';
import { type ReceivedRequest, replyJson, serveDouble } from '../../test/doubles/http-double.ts';
import { startTwilioUpstream } from '../../test/doubles/twilio-upstream.ts';
import { leaksIn, noteSecrets } from '../../test/leaks.ts';
import { twilioService } from '../src/app.ts';
import { createTwilioGateway, type TwilioOptions } from '../src/twilio-gateway.ts';

export const phone = '+573001234567';
export const sms: Send = { message: 'Pago recibido', customer_id: '123', phone, idempotency_key: 'pmt_1-1' };
export const from = '+15005550006';

/** Long enough for an answer over loopback on a busy machine. */
export const ample = 10_000;
/** For the tests that wait for it to pass. */
export const short = 150;

export interface LogLine {
  level: number;
  msg: string;
  [member: string]: unknown;
}

export function createLog() {
  const lines: LogLine[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  onTestFinished(() => {
    noteSecrets(sms);
    expect(leaksIn(lines.map((line) => JSON.stringify(line)))).toEqual([]);
  });
  const alerts = () => lines.filter(({ alert, alerts_ended }) => alert || alerts_ended);
  return { log, lines, alerts };
}

async function startUpstream() {
  const upstream = await startTwilioUpstream();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  return upstream;
}

/** The gateway, over real sockets, before a Twilio. */
export async function startGateway(options: Partial<TwilioOptions> = {}) {
  const upstream = await startUpstream();
  const { log, ...told } = createLog();
  const gateway = createTwilioGateway({
    accountSid: upstream.accountSid,
    username: upstream.accountSid,
    password: upstream.authToken,
    sender: { From: from },
    url: upstream.url,
    timeoutMs: ample,
    maxConcurrency: 10,
    log,
    ...options,
  });
  onTestFinished(async () => gateway.close?.());
  return { upstream, gateway, ...told };
}

/** The service as it is configured by these variables. */
export async function startApp(env: Record<string, string> = {}) {
  const { log, ...told } = createLog();
  const config = readConfiguration(twilioService.configSchema, env);
  const app = await buildProvider(twilioService, config, { logger: log, version: '0.0.0' });
  onTestFinished(async () => {
    await app.close();
  });
  return { app, ...told };
}

/** The service, live, before a Twilio. */
export async function startLiveApp(env: Record<string, string> = {}) {
  const upstream = await startUpstream();
  const live = {
    TWILIO_ACCOUNT_SID: upstream.accountSid,
    TWILIO_AUTH_TOKEN: upstream.authToken,
    TWILIO_FROM: from,
    TWILIO_BASE_URL: upstream.url,
  };
  return { upstream, ...(await startApp({ ...live, ...env })) };
}

/** The service, live, with receipts, before a payment-service that records what is forwarded and answers as it is set. */
export async function startWithReceipts(publicUrl = 'https://sms.example.com') {
  const received: ReceivedRequest[] = [];
  const statuses: number[] = [];
  const payments = await serveDouble((request, response) => {
    received.push(request);
    const status = statuses.shift() ?? 204;
    if (status === 204) return response.writeHead(204).end();
    return replyJson(response, status, { status });
  });
  onTestFinished(() => payments[Symbol.asyncDispose]());
  const live = await startLiveApp({ PUBLIC_URL: publicUrl, PAYMENT_SERVICE_URL: payments.url });
  live.app.server.listen(0, '127.0.0.1');
  await once(live.app.server, 'listening');
  // Like a proxy at the public URL.
  live.upstream.callbackOrigin = `http://127.0.0.1:${(live.app.server.address() as AddressInfo).port}`;

  const send = async (key = 'pmt_1-1') => {
    const response = await live.app.inject({
      method: 'POST',
      url: '/notify',
      headers: { 'idempotency-key': key },
      payload: { message: 'Pago secreto', customer_id: '123', phone },
    });
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

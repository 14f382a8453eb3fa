import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { type ReceivedRequest, serveDouble } from './http-double.ts';

/** What the merchant's endpoint does with a request. `dead`: it closes the connection without an answer. */
export type Answering =
  | 'well'
  | 'error'
  | 'throttle'
  | 'redirect'
  | 'slow'
  | 'huge'
  | 'hang'
  | 'cut'
  | 'dead'
  | 'gone';

/** A request whose signature was right. */
export interface Arrival {
  id: string;
  body: {
    type: string;
    timestamp: string;
    data: { payment_id: string; notification_status: string };
  };
  /** Whether it was answered with 2xx. */
  taken: boolean;
}

export interface Merchant extends AsyncDisposable {
  /** With which payment-service delivers events to it. */
  settings: { WEBHOOK_URL: string; WEBHOOK_SECRETS: string };
  /** In the order in which they came. */
  arrivals: Arrival[];
  /** Why requests were refused: no request may be. */
  refused: string[];
  /** Decides about each request; at first all are answered well. */
  answering: () => Answering;
}

const secret = `whsec_${Buffer.alloc(32, 'merchant').toString('base64')}`;
const path = '/webhooks/payments?shop=1';

/** The endpoint of a merchant: it verifies each signature by the reference library of Standard Webhooks. */
export async function startMerchant(): Promise<Merchant> {
  const webhook = new Webhook(secret);
  const arrivals: Arrival[] = [];
  const refused: string[] = [];

  function handle(request: ReceivedRequest, response: ServerResponse): void {
    const answering = merchant.answering();
    if (answering === 'dead') return void response.destroy();
    try {
      if (request.path !== path || request.method !== 'POST')
        throw new Error(`${request.method} ${request.path}`);
      const body = webhook.verify(request.body, request.headers as Record<string, string>) as Arrival['body'];
      const taken = ['well', 'slow', 'huge'].includes(answering);
      arrivals.push({ id: String(request.headers['webhook-id']), body, taken });
    } catch (error) {
      refused.push(String(error));
      return void response.writeHead(400).end();
    }
    answer(response, answering);
  }

  const server = await serveDouble(handle);
  const merchant: Merchant = {
    settings: { WEBHOOK_URL: `${server.url}${path}`, WEBHOOK_SECRETS: secret },
    arrivals,
    refused,
    answering: () => 'well',
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return merchant;
}

function answer(response: ServerResponse, answering: Answering): void {
  switch (answering) {
    case 'error':
      return void response.writeHead(500).end('{}');
    case 'throttle':
      return void response.writeHead(503, { 'retry-after': '1' }).end();
    case 'redirect':
      return void response.writeHead(307, { location: '/elsewhere' }).end();
    case 'gone':
      return void response.writeHead(410).end();
    case 'slow':
      return void setTimeout(() => response.writeHead(204).end(), 200);
    case 'huge':
      return void response.writeHead(200).end('x'.repeat(1_000_000));
    case 'cut':
      return void response.destroy();
    case 'hang':
      return; // until the client gives up
    default:
      response.writeHead(204).end();
  }
}

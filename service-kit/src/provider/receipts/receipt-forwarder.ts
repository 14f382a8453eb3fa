import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { createHttpClient } from '../../client/http-client.ts';
import type { OptOut, Receipt } from '../../contract/notification.ts';
import { serviceHeaders } from '../../http/credentials.ts';
import type { Key } from '../../http/keys.ts';

/**
 * `unknown_attempt`: payment-service has no such attempt; `refused`: a retry would be, too; `unauthorized`: until a person corrects
 * SERVICE_TOKEN.
 */
export type Forwarding = 'recorded' | 'unknown_attempt' | 'refused' | 'unauthorized' | 'unreachable';

export interface ReceiptForwarder {
  /** Sends a receipt to payment-service, with retries for a while. It never rejects. */
  forward(receipt: Receipt): Promise<Forwarding>;
  /** The same for an opt-out. `unknown_attempt`: payment-service is of a release that takes none. */
  forwardOptOut(optOut: OptOut): Promise<Forwarding>;
  /** Ends the pauses between retries, and the retries with them. */
  stop(): void;
  close(): Promise<void>;
}

/** Below the 15 s after which Twilio's callback times out. */
const deadlineMs = 10_000;
const callTimeoutMs = 3000;
const firstPauseMs = 100;
const longestPauseMs = 2000;

interface ReceiptForwarderOptions {
  paymentServiceUrl: string;
  serviceTokens: readonly Key[] | undefined;
}

export function createReceiptForwarder(options: ReceiptForwarderOptions): ReceiptForwarder {
  const paymentService = createHttpClient({
    url: options.paymentServiceUrl,
    timeoutMs: callTimeoutMs,
    maxConcurrency: 64,
    headers: serviceHeaders(options.serviceTokens),
  });
  const stopping = new AbortController();

  async function postOnce(path: string, body: string): Promise<Forwarding> {
    try {
      const { status } = await paymentService.call({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        body,
      });
      return forwardingOf(status);
    } catch {
      return 'unreachable';
    }
  }

  async function post(path: string, message: Receipt | OptOut): Promise<Forwarding> {
    const body = JSON.stringify(message);
    const deadline = performance.now() + deadlineMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const forwarding = await postOnce(path, body);
      if (forwarding !== 'unreachable' || performance.now() + pauseMs > deadline) return forwarding;
      try {
        await delay(pauseMs, undefined, { signal: stopping.signal });
      } catch {
        return forwarding;
      }
    }
  }

  return {
    forward: (receipt) => post('/receipts', receipt),
    forwardOptOut: (optOut) => post('/opt-outs', optOut),
    stop: () => stopping.abort(),
    close: paymentService.close,
  };
}

function forwardingOf(status: number): Forwarding {
  if (status === 204) return 'recorded';
  if (status === 404) return 'unknown_attempt';
  if (status === 401 || status === 403) return 'unauthorized';
  // 409: the attempt is still being recorded.
  return status === 409 || status === 429 || status >= 500 ? 'unreachable' : 'refused';
}

export function logForwarding(log: FastifyBaseLogger, receipt: Receipt, forwarding: Forwarding): void {
  const { provider, message_id, idempotency_key, status } = receipt;
  const fields = { provider, message_id, idempotency_key, status, forwarding };
  if (forwarding === 'recorded') log.info(fields, 'delivery receipt forwarded');
  else if (forwarding === 'unknown_attempt') log.warn(fields, 'payment-service has no attempt for this SMS');
  else log.error(fields, 'a delivery receipt could not be forwarded');
}

import { setTimeout as delay } from 'node:timers/promises';
import { createHttpClient } from 'service-kit/client/http-client.ts';
import type { Receipt } from 'service-kit/contract/notification.ts';
import { serviceHeaders } from 'service-kit/http/credentials.ts';

/** `unknown_attempt`: payment-service has no such attempt; `refused`: a retry would be, too. */
type Forwarding = 'recorded' | 'unknown_attempt' | 'refused' | 'unreachable';

export interface ReceiptForwarder {
  /** Sends a receipt to payment-service, with retries for a while. It never rejects. */
  forward(receipt: Receipt): Promise<Forwarding>;
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
  serviceToken: string | undefined;
}

export function createReceiptForwarder(options: ReceiptForwarderOptions): ReceiptForwarder {
  const paymentService = createHttpClient({
    url: options.paymentServiceUrl,
    timeoutMs: callTimeoutMs,
    maxConcurrency: 64,
    headers: serviceHeaders(options.serviceToken),
  });
  const stopping = new AbortController();

  async function forwardOnce(receipt: Receipt): Promise<Forwarding> {
    try {
      const { status } = await paymentService.call({
        method: 'POST',
        path: '/receipts',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(receipt),
      });
      return forwardingOf(status);
    } catch {
      return 'unreachable';
    }
  }

  return {
    async forward(receipt) {
      const deadline = performance.now() + deadlineMs;
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        const forwarding = await forwardOnce(receipt);
        if (forwarding !== 'unreachable' || performance.now() + pauseMs > deadline) return forwarding;
        try {
          await delay(pauseMs, undefined, { signal: stopping.signal });
        } catch {
          return forwarding;
        }
      }
    },
    stop: () => stopping.abort(),
    close: paymentService.close,
  };
}

function forwardingOf(status: number): Forwarding {
  if (status === 204) return 'recorded';
  if (status === 404) return 'unknown_attempt';
  // 409: the attempt is still being recorded.
  return status === 409 || status === 429 || status >= 500 ? 'unreachable' : 'refused';
}

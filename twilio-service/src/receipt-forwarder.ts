import { setTimeout as delay } from 'node:timers/promises';
import { createHttpClient } from 'service-kit/client/http-client.ts';
import type { Receipt } from 'service-kit/contract/notification.ts';
import { serviceHeaders } from 'service-kit/http/credentials.ts';

/** `taken`, `unknown_there`: payment-service has no such attempt, `refused`: it never will take it, or `not_reached`. */
type Handover = 'taken' | 'unknown_there' | 'refused' | 'not_reached';

export interface ReceiptHandover {
  /** Hands a receipt to payment-service. Tried again for a while; it never rejects. */
  handOver(receipt: Receipt): Promise<Handover>;
  /** Whoever still waits for another try waits no longer. */
  stop(): void;
  close(): Promise<void>;
}

/** Below the 15 s after which Twilio gives its callback up. */
const patienceMs = 10_000;
const callMs = 3000;
const firstPauseMs = 100;
const longestPauseMs = 2000;

export interface ReceiptHandoverOptions {
  paymentServiceUrl: string;
  serviceToken: string | undefined;
}

export function createReceiptHandover({
  paymentServiceUrl,
  serviceToken,
}: ReceiptHandoverOptions): ReceiptHandover {
  const service = createHttpClient({
    url: paymentServiceUrl,
    timeoutMs: callMs,
    maxConcurrency: 64,
    headers: serviceHeaders(serviceToken),
  });
  const stopping = new AbortController();

  async function handOverOnce(receipt: Receipt): Promise<Handover> {
    try {
      const { status } = await service.call({
        method: 'POST',
        path: '/receipts',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(receipt),
      });
      if (status === 204) return 'taken';
      if (status === 404) return 'unknown_there';
      // 409: the attempt is still being written down.
      return status === 409 || status === 429 || status >= 500 ? 'not_reached' : 'refused';
    } catch {
      return 'not_reached';
    }
  }

  return {
    async handOver(receipt) {
      const deadline = performance.now() + patienceMs;
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        const handover = await handOverOnce(receipt);
        if (handover !== 'not_reached' || performance.now() + pauseMs > deadline) return handover;
        try {
          await delay(pauseMs, undefined, { signal: stopping.signal });
        } catch {
          return handover;
        }
      }
    },
    stop: () => stopping.abort(),
    close: service.close,
  };
}

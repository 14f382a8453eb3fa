import { retryAfterOf } from 'service-kit/client/answer.ts';
import type { ConnectLog } from 'service-kit/client/connect-log.ts';
import { createHttpClient, type StatusAnswer } from 'service-kit/client/http-client.ts';
import type { ProxyOptions } from 'service-kit/client/proxy.ts';
import type { PaymentEvent } from '../domain/events.ts';
import { isAddressAllowed } from './endpoint-url.ts';
import { createGuardedLookup } from './guarded-lookup.ts';
import { bodyOf, signedHeaders } from './message.ts';

/** How a try ended. `gone`: the merchant wants no more of them (410). */
export type Try =
  | { result: 'taken' }
  | { result: 'gone' }
  | {
      result: 'failed';
      reason: string;
      /** What the endpoint asks for, in ms. */
      retryAfterMs?: number;
      /** That it asks for it on behalf of all deliveries (429, 503). */
      isThrottled?: boolean;
    };

/** The merchant's webhook endpoint. */
export interface Endpoint {
  /** Its host and port, for logs; its path and its query may be secret. */
  readonly host: string;
  /** Makes one try, within its deadline. It never rejects. */
  post(event: PaymentEvent): Promise<Try>;
  /** Ends the tries under way, too. */
  close(): Promise<void>;
}

export interface EndpointOptions {
  /** One that `whyUrlRefused` has passed. */
  url: string;
  /** The keys with which each try is signed. */
  secrets: readonly Buffer[];
  /** The deadline of one try. */
  timeoutMs: number;
  /** The limit of tries at the same time. */
  concurrency: number;
  /** Whether its name may lead to an address that is not of the public Internet. Behind a proxy the proxy decides. */
  allowPrivate: boolean;
  /** The proxy for an https:// URL; it resolves the name. None by default. */
  proxy?: ProxyOptions | undefined;
  log: ConnectLog;
}

/** Of an answer as much is read, so that its connection can be used again. */
const longestBody = 64 * 1024;

export function createEndpoint(options: EndpointOptions): Endpoint {
  const { url, secrets, timeoutMs, concurrency, allowPrivate, proxy, log } = options;
  const { host, hostname, pathname, search } = new URL(url);
  const client = createHttpClient({
    url,
    timeoutMs,
    maxConcurrency: concurrency,
    longestBody,
    lookup: createGuardedLookup(isAddressAllowed(hostname, allowPrivate)),
    proxy,
    log,
  });

  return {
    host,
    async post(event) {
      const body = bodyOf(event);
      const headers = { 'content-type': 'application/json', ...signedHeaders(event.event_id, body, secrets) };
      return tryOf(
        await client.callForStatus({ method: 'POST', path: `${pathname}${search}`, headers, body }),
      );
    },
    close: client.close,
  };
}

function tryOf(answer: StatusAnswer): Try {
  if (answer.status === undefined) return { result: 'failed', reason: answer.reason };
  const { status, retryAfter } = answer;
  if (status >= 200 && status < 300) return { result: 'taken' };
  if (status === 410) return { result: 'gone' };
  const { retry_after_ms: retryAfterMs } = retryAfterOf(retryAfter);
  const pause = retryAfterMs !== undefined && { retryAfterMs, isThrottled: status === 429 || status === 503 };
  return { result: 'failed', reason: `http_${status}`, ...pause };
}

import type { NotifyRequest, Outcome, Provider } from 'service-kit/notification.ts';
import { type Dispatcher, Pool } from 'undici';
import { overloaded } from './outcome.ts';
import { outcomeOfAnswer, outcomeOfError } from './provider-answer.ts';

export interface ProviderClientOptions {
  provider: Provider;
  url: string;
  /** The deadline of one call, over connect, headers and body. */
  timeoutMs: number;
  /** Calls under way at the same time. One more is not made: it would spend its deadline waiting in our own queue. */
  maxConcurrency: number;
}

export interface ProviderClient {
  /** Asks the provider for one SMS. The same key is the same SMS. Whatever happens is an outcome; it never rejects. */
  notify(request: NotifyRequest, idempotencyKey: string): Promise<Outcome>;
  /** Whether the provider's API is well. It never rejects. */
  check(): Promise<boolean>;
  close(): Promise<void>;
}

export function createProviderClient({
  provider,
  url,
  timeoutMs,
  maxConcurrency,
}: ProviderClientOptions): ProviderClient {
  const pool = new Pool(new URL(url).origin, {
    connections: maxConcurrency + 1, // one for the check, however busy the rest
    connect: { timeout: timeoutMs },
    headersTimeout: 0, // the deadline of the call covers these, and it is exact: undici's timers are coarse
    bodyTimeout: 0,
    maxResponseSize: 64 * 1024,
  });
  const watched = pool.compose(watchWriting);
  let underWay = 0;

  return {
    async notify(request, idempotencyKey) {
      if (underWay >= maxConcurrency) return overloaded;
      underWay += 1;
      const writing: Writing = { begun: false };
      try {
        const { statusCode, headers, body } = await watched.request({
          method: 'POST',
          path: '/notify',
          headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
          body: JSON.stringify(request),
          signal: AbortSignal.timeout(timeoutMs),
          opaque: writing,
        });
        const retryAfter = headers['retry-after'];
        return outcomeOfAnswer(provider, {
          status: statusCode,
          retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
          body: await body.text(),
        });
      } catch (error) {
        return outcomeOfError(error, writing.begun);
      } finally {
        underWay -= 1;
      }
    },

    async check() {
      try {
        const { statusCode, body } = await pool.request({
          method: 'GET',
          path: '/health/upstream',
          signal: AbortSignal.timeout(timeoutMs),
        });
        await body.dump();
        return statusCode === 200;
      } catch {
        return false;
      }
    },

    // Not close(): the calls have ended when the app closes, and a check that still runs is nobody's loss.
    close: () => pool.destroy(),
  };
}

/**
 * Notes in the call's `opaque` when its request begins to be written to a connection: the moment from which it may have
 * been taken.
 */
const watchWriting: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { opaque } = options as { opaque?: Writing };
  const { onRequestStart } = handler;
  handler.onRequestStart = function (controller, context) {
    if (opaque) opaque.begun = true;
    onRequestStart?.call(this, controller, context);
  };
  return dispatch(options, handler);
};

interface Writing {
  begun: boolean;
}

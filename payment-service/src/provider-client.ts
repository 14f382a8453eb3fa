import type { NotifyRequest, Outcome, Provider } from 'service-kit/notification.ts';
import { type Dispatcher, Pool } from 'undici';
import { overloaded } from './outcome.ts';
import { type Answer, outcomeOfAnswer, outcomeOfError, settledBy } from './provider-answer.ts';

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
  /**
   * Asks what became of the call with this key, which began then (ms since the epoch), and withdraws it should it still be
   * on its way. Undefined if nobody knows; it never rejects.
   */
  ask(idempotencyKey: string, startedAt: number): Promise<Outcome | undefined>;
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
    connections: maxConcurrency + 16, // room for checks and questions, however busy the rest
    connect: { timeout: timeoutMs },
    headersTimeout: 0, // the deadline of the call covers these, and it is exact: undici's timers are coarse
    bodyTimeout: 0,
    maxResponseSize: 64 * 1024,
  });
  const dispatcher = pool.compose(watchWriting);
  let underWay = 0;

  /** One request and its whole answer, within the deadline. */
  async function call(options: Omit<Dispatcher.RequestOptions<Writing>, 'origin'>): Promise<Answer> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const read = async () => {
      const { statusCode, headers, body } = await dispatcher.request({ ...options, signal: deadline });
      const retryAfter = headers['retry-after'];
      return {
        status: statusCode,
        retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        body: await body.text(),
      };
    };
    // undici heeds the signal only once there is a connection.
    return Promise.race([read(), rejectedBy(deadline)]);
  }

  return {
    async notify(request, idempotencyKey) {
      if (underWay >= maxConcurrency) return overloaded;
      underWay += 1;
      const writing: Writing = { begun: false };
      try {
        const answer = await call({
          method: 'POST',
          path: '/notify',
          headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
          body: JSON.stringify(request),
          opaque: writing,
        });
        return outcomeOfAnswer(provider, answer);
      } catch (error) {
        return outcomeOfError(error, writing.begun);
      } finally {
        underWay -= 1;
      }
    },

    async ask(idempotencyKey, startedAt) {
      try {
        const answer = await call({
          method: 'DELETE',
          path: '/notify',
          headers: { 'idempotency-key': idempotencyKey },
        });
        return settledBy(provider, answer, startedAt);
      } catch {
        return undefined;
      }
    },

    async check() {
      try {
        const { status, body } = await call({ method: 'GET', path: '/health/upstream' });
        return status === 200 && JSON.parse(body).status === 'healthy';
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
    onRequestStart?.call(this, controller, context);
    // One that was given up while it had no connection is aborted here, and is not written.
    if (opaque && !controller.aborted) opaque.begun = true;
  };
  return dispatch(options, handler);
};

const rejectedBy = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

interface Writing {
  begun: boolean;
}

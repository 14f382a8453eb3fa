import { SpanKind } from '@opentelemetry/api';
import { type Dispatcher, Pool } from 'undici';
import { inSpan } from '../correlation.ts';
import type { Outcome } from '../notification.ts';
import { type Answer, outcomeOfError, overloaded } from './answer.ts';

export interface CallerOptions {
  /** Whom to call. Only the origin counts: each request has its own path. */
  url: string;
  /** The deadline of one call, over connect, headers and body. */
  timeoutMs: number;
  /** Sends under way at the same time. One more is not made: it would spend its deadline waiting in our own queue. */
  maxConcurrency: number;
  /** Sent with each request, whatever they are at that moment. */
  headers?: () => Record<string, string>;
}

export interface Request {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Caller {
  /** One request that may send an SMS, and what is known after it. Whatever happens is an outcome; it never rejects. */
  send(request: Request, read: (answer: Answer) => Outcome): Promise<Outcome>;
  /**
   * One request that sends nothing; it rejects if there is no answer. Sends leave 16 connections for these, however many
   * are under way: a 17th at the same time may wait for one, within its deadline.
   */
  call(request: Request): Promise<Answer>;
  close(): Promise<void>;
}

/** Calls one HTTP service over one pool of connections, each call with an exact deadline. Nothing is repeated. */
export function createCaller({
  url,
  timeoutMs,
  maxConcurrency,
  headers = () => ({}),
}: CallerOptions): Caller {
  const pool = new Pool(new URL(url).origin, {
    connections: maxConcurrency + 16, // room for checks and questions, however busy the rest
    connect: { timeout: timeoutMs },
    // HTTP/1.1 alone: one request a connection, so that it is certain whether this one was written before it broke.
    allowH2: false,
    headersTimeout: 0, // the deadline of the call covers these, and it is exact: undici's timers are coarse
    bodyTimeout: 0,
    maxResponseSize: 64 * 1024,
  });
  const dispatcher = pool.compose(watchWriting);
  let underWay = 0;
  const attributesOf = ({ method }: Request) => ({
    'http.request.method': method,
    'server.address': new URL(url).host,
  });

  /** One request and its whole answer, within the deadline. */
  async function call(request: Request, writing: Writing | null = null): Promise<Answer> {
    const read = async (signal: AbortSignal) => {
      const {
        statusCode,
        headers: received,
        body,
      } = await dispatcher.request({
        ...request,
        headers: { ...headers(), ...request.headers },
        opaque: writing,
        signal,
      });
      const retryAfter = received['retry-after'];
      return {
        status: statusCode,
        retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        body: await body.text(),
      };
    };
    return inSpan(
      request.method,
      { kind: SpanKind.CLIENT, attributes: attributesOf(request) },
      async (span) => {
        const answer = await beforeDeadline(timeoutMs, read);
        span.setAttribute('http.response.status_code', answer.status);
        return answer;
      },
    );
  }

  return {
    async send(request, read) {
      if (underWay >= maxConcurrency) return overloaded;
      underWay += 1;
      const writing: Writing = { begun: false };
      try {
        return read(await call(request, writing));
      } catch (error) {
        return outcomeOfError(error, writing.begun);
      } finally {
        underWay -= 1;
      }
    },
    call: (request) => call(request),
    // Not close(): the sends have ended when the app closes, and a check that still runs is nobody's loss.
    close: () => pool.destroy(),
  };
}

/** HTTP Basic. */
export const basicAuthorization = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/**
 * Notes in the call's `opaque` when its request begins to be written to a connection: the moment from which it may have
 * been taken.
 */
const watchWriting: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { opaque } = options as { opaque?: Writing | null };
  const { onRequestStart } = handler;
  handler.onRequestStart = function (controller, context) {
    onRequestStart?.call(this, controller, context);
    // One that was given up while it had no connection is aborted here, and is not written.
    if (opaque && !controller.aborted) opaque.begun = true;
  };
  return dispatch(options, handler);
};

/**
 * What the work brings, or a TimeoutError. The signal alone is not enough: undici heeds it only once there is a connection.
 * Not by AbortSignal.timeout, which nobody can clear: those of thousands of calls would wait for their time to be up.
 */
function beforeDeadline<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const late = new DOMException('The deadline has passed.', 'TimeoutError');
    controller.abort(late);
    reject(late);
  }, timeoutMs);
  work(controller.signal)
    .then(resolve, reject)
    .finally(() => clearTimeout(timer));
  return promise;
}

interface Writing {
  begun: boolean;
}

import { SpanKind } from '@opentelemetry/api';
import { type Dispatcher, Pool } from 'undici';
import type { Outcome } from '../contract/notification.ts';
import { inSpan } from '../telemetry/correlation.ts';
import { type Answer, outcomeOfError, overloaded } from './answer.ts';

export interface HttpClientOptions {
  /** Only the origin counts, because each request has a path of its own. */
  url: string;
  /** The deadline of one call, over connect, headers and body. */
  timeoutMs: number;
  /** Sends under way at the same time. One more is not made: it would spend its deadline waiting in our own queue. */
  maxConcurrency: number;
  /** Sent with each request, whatever they are at that moment. */
  headers?: () => Record<string, string>;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface HttpClient {
  /** One request that may send an SMS, and what is known after it. Whatever happens is an outcome; it never rejects. */
  send(request: HttpRequest, read: (answer: Answer) => Outcome): Promise<Outcome>;
  /**
   * One request that sends nothing; it rejects if there is no answer. Sends leave 16 connections for these, however many
   * are under way: a 17th at the same time may wait for one, within its deadline.
   */
  call(request: HttpRequest): Promise<Answer>;
  close(): Promise<void>;
}

/** Calls one HTTP service over one pool of connections, each call with an exact deadline. Nothing is repeated. */
export function createHttpClient({
  url,
  timeoutMs,
  maxConcurrency,
  headers = () => ({}),
}: HttpClientOptions): HttpClient {
  const { origin, host } = new URL(url);
  const pool = new Pool(origin, {
    connections: maxConcurrency + 16, // room for checks and questions, however busy the rest
    connect: { timeout: timeoutMs },
    // HTTP/1.1 alone: one request a connection, so that it is certain whether this one was written before it broke.
    allowH2: false,
    headersTimeout: 0, // the deadline of the call covers these, and it is exact: undici's timers are coarse
    bodyTimeout: 0,
    maxResponseSize: 64 * 1024,
  });
  let underWay = 0;
  function call(request: HttpRequest, writing?: Writing): Promise<Answer> {
    const attributes = { 'http.request.method': request.method, 'server.address': host };
    return inSpan(request.method, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const withHeaders = { ...request, headers: { ...headers(), ...request.headers } };
      const answer = await exchange(pool, withHeaders, timeoutMs, writing);
      span.setAttribute('http.response.status_code', answer.status);
      return answer;
    });
  }

  return {
    async send(request, read) {
      if (underWay >= maxConcurrency) return overloaded;
      underWay += 1;
      const writing = { begun: false };
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

interface Writing {
  /** Set when the request begins to be written to a connection: the moment from which it may have been taken. */
  begun: boolean;
}

/**
 * One request and its whole answer, or a TimeoutError when the deadline has passed. By undici's dispatch: its `request`
 * makes a stream of an answer of a few hundred bytes, which costs more than the rest of the exchange. Not by
 * AbortSignal.timeout either: those of thousands of calls would be kept until their time is up, as nobody can clear them.
 */
function exchange(
  pool: Pool,
  request: HttpRequest,
  timeoutMs: number,
  writing: Writing = { begun: false },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let late: DOMException | undefined;
  let connection: Dispatcher.DispatchController | undefined;
  const timer = setTimeout(() => {
    late = new DOMException('The deadline has passed.', 'TimeoutError');
    connection?.abort(late);
    reject(late);
  }, timeoutMs);
  let status: number;
  let retryAfter: string | undefined;
  const chunks: Buffer[] = [];

  pool.dispatch(request, {
    onRequestStart(controller) {
      // One that was given up while it had no connection is not written.
      if (late) return controller.abort(late);
      connection = controller;
      writing.begun = true;
    },
    onResponseStart(_controller, statusCode, { 'retry-after': header }) {
      status = statusCode;
      retryAfter = Array.isArray(header) ? header[0] : header;
    },
    onResponseData(_controller, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      clearTimeout(timer);
      resolve({ status, retryAfter, body: Buffer.concat(chunks).toString() });
    },
    onResponseError(_controller, error) {
      clearTimeout(timer);
      reject(error);
    },
  });
  return promise;
}

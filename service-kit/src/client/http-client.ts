import type { LookupFunction } from 'node:net';
import { SpanKind } from '@opentelemetry/api';
import packageJson from '../../package.json' with { type: 'json' };
import type { Outcome } from '../contract/notification.ts';
import { inSpan } from '../telemetry/correlation.ts';
import { type Answer, outcomeOfError, overloaded } from './answer.ts';
import { type ConnectLog, createConnectLog } from './connect-log.ts';
import { openConnections } from './connections.ts';
import { exchange, type Progress } from './exchange.ts';
import { type ProxyOptions, proxyOf } from './proxy.ts';
import type { HttpProxy } from './tunnel.ts';

/** The headers of every request. `identity`, because answers are a few hundred bytes. */
const always = {
  'accept-encoding': 'identity',
  'user-agent': `payments-with-sms/${packageJson.version}`,
};

export interface HttpClientOptions {
  /** Only the origin counts, because each request has a path of its own. */
  url: string;
  /** The deadline of one call, over connecting, headers and body. */
  timeoutMs: number;
  /** The limit of concurrent sends. One more is not made, because it would spend its deadline in our own queue. */
  maxConcurrency: number;
  /** Read anew for each request. */
  headers?: () => Record<string, string>;
  /** The limit of the body of an answer in bytes; 1 MB by default. */
  longestBody?: number;
  /** Resolves the name for each connection that no proxy opens; the system's by default. */
  lookup?: LookupFunction;
  /** The proxy for an https:// URL; none by default. */
  proxy?: ProxyOptions | undefined;
  /** Gets a line for a fault of TLS or of the proxy, which a person has to correct. */
  log?: ConnectLog;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** What is known of an answer without its body, or why none came. */
export type StatusAnswer = Pick<Answer, 'status' | 'retryAfter'> | { status: undefined; reason: string };

export interface HttpClient {
  /**
   * Makes one request that may send an SMS, and returns its outcome. Every failure is an outcome; it never rejects. Of an answer
   * with a status of 300 or more, what came is read, though its body is too long, breaks off or stalls until the deadline.
   */
  send(request: HttpRequest, read: (answer: Answer) => Outcome): Promise<Outcome>;
  /**
   * Makes one request that sends nothing. Rejects if there is no whole answer. 16 connections are left to these, however many
   * sends there are; a 17th at the same time may wait for one, within its deadline.
   */
  call(request: HttpRequest): Promise<Answer>;
  /**
   * As `call`, for a request of whose answer the status counts. It never rejects: a body that is too long, breaks off or stalls until
   * the deadline leaves the status as it is.
   */
  callForStatus(request: HttpRequest): Promise<StatusAnswer>;
  close(): Promise<void>;
}

/** A client of one HTTP service over a pool of connections. Each call has a deadline, none is retried, and no redirect followed. */
export function createHttpClient({
  url,
  timeoutMs,
  maxConcurrency,
  headers = () => ({}),
  longestBody,
  lookup,
  proxy: proxyOptions,
  log,
}: HttpClientOptions): HttpClient {
  const { origin, host } = new URL(url);
  const proxy = proxyWithHeaders(proxyOf(new URL(url), proxyOptions));
  const connections = openConnections({
    origin,
    limit: maxConcurrency + 16, // 16 beside the sends, for `call`
    connectTimeoutMs: timeoutMs,
    longestBody,
    lookup,
    proxy,
    onConnectError: createConnectLog({ host, proxy: proxy?.url.host, log }),
  });
  let sending = 0;
  function call(request: HttpRequest, progress?: Progress): Promise<Answer> {
    const attributes = { 'http.request.method': request.method, 'server.address': host };
    return inSpan(request.method, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const withHeaders = { ...request, headers: { ...always, ...headers(), ...request.headers } };
      const answer = await exchange(connections, withHeaders, timeoutMs, progress);
      span.setAttribute('http.response.status_code', answer.status);
      return answer;
    });
  }

  return {
    async send(request, read) {
      if (sending >= maxConcurrency) return overloaded;
      sending += 1;
      const progress: Progress = { begun: false };
      try {
        return read(await call(request, progress).catch(orCut(progress, 300)));
      } catch (error) {
        return outcomeOfError(error, progress.begun);
      } finally {
        sending -= 1;
      }
    },
    call: (request) => call(request),
    async callForStatus(request) {
      const progress: Progress = { begun: false };
      try {
        const { status, retryAfter } = await call(request, progress).catch(orCut(progress, 200));
        return { status, retryAfter };
      } catch (error) {
        return { status: undefined, reason: outcomeOfError(error, progress.begun).reason };
      }
    },
    close: connections.close,
  };
}

/** For a call that failed: what came of its answer, if the status is this or a higher one. */
const orCut =
  (progress: Progress, from: number) =>
  (error: unknown): Answer | Promise<never> =>
    progress.cut && progress.cut.status >= from ? progress.cut : Promise.reject(error);

function proxyWithHeaders(url: URL | undefined): HttpProxy | undefined {
  if (!url) return undefined;
  const [user, password] = [url.username, url.password].map(decodeURIComponent) as [string, string];
  const authorization = (user || password) && { 'proxy-authorization': basicAuthorization(user, password) };
  return { url, headers: { 'user-agent': always['user-agent'], ...authorization } };
}

/** HTTP Basic. */
export const basicAuthorization = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

import { createHistogram } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';

/** Generates load, in a process of its own, so that it shares no event loop with the measured service. */

export interface Order {
  url: string;
  connections: number;
  forMs: number;
  /** The path of a GET. Default: POST /payments. */
  get?: string;
  headers?: Record<string, string>;
  /** The expected status of each response. */
  status: number;
  /** The interval between the requests of a connection. A slower request delays the next. Default: 0. */
  everyMs?: number;
  /** Requests that take at least this long are counted as `waited`. */
  waitMs?: number;
}

export interface Load {
  count: number;
  perSecond: number;
  /** In ms, like p99 and max. */
  p50: number;
  p99: number;
  max: number;
  /** The number of requests that took at least `waitMs`. */
  waited: number;
}

/** Sends one request after the other on each connection, for `forMs`. Throws if a response has another status. */
async function load(order: Order): Promise<Load> {
  const { url, connections, forMs, everyMs = 0, waitMs = Number.POSITIVE_INFINITY } = order;
  const pool = new Pool(url, { connections, headersTimeout: 0, bodyTimeout: 0 });
  const latencies = createHistogram(); // in ns
  let waited = 0;
  const started = performance.now();
  const end = started + forMs;

  async function request(lane: number): Promise<void> {
    const { statusCode, body } = await pool.request(requestOf(order, lane));
    const text = await body.text();
    if (statusCode !== order.status) throw new Error(`answered ${statusCode}: ${text}`);
  }

  async function requestOneAfterTheOther(lane: number): Promise<void> {
    if (everyMs > 0) await delay(Math.random() * everyMs); // spreads the first requests over the interval
    while (performance.now() < end) {
      const began = performance.now();
      await request(lane);
      const tookMs = performance.now() - began;
      latencies.record(Math.max(1, Math.round(tookMs * 1e6)));
      if (tookMs >= waitMs) waited += 1;
      if (everyMs > tookMs) await delay(everyMs - tookMs);
    }
  }

  await Promise.all(Array.from({ length: connections }, (_, lane) => requestOneAfterTheOther(lane)));
  const seconds = (performance.now() - started) / 1000;
  await pool.destroy();
  return {
    count: latencies.count,
    perSecond: latencies.count / seconds,
    p50: latencies.percentile(50) / 1e6,
    p99: latencies.percentile(99) / 1e6,
    max: latencies.max / 1e6,
    waited,
  };
}

const requestOf = ({ get, headers }: Order, lane: number) =>
  get
    ? { method: 'GET', path: get, headers: headers ?? {} }
    : {
        method: 'POST',
        path: '/payments',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ amount: 100.5, customer_id: `customer-${lane}`, message: 'Pago recibido' }),
      };

process.on('message', (order: Order) => {
  void load(order).then((done) => process.send?.(done));
});

import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import type { Channel } from './replicas.ts';

const name = 'payment_service';
const retryMs = 1000;
const timeoutMs = 3000;
const goodbyeMs = 500;

/**
 * A channel over LISTEN and NOTIFY, on a connection of its own, which is made again when it is lost. What is published
 * meanwhile is lost, too.
 */
export function createPostgresChannel(
  url: string,
  onMessage: (text: string) => void,
  log: FastifyBaseLogger,
): Channel {
  const closing = new AbortController();
  let listening: pg.Client | undefined;

  /** Resolves when the connection is lost. */
  async function listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
    });
    const lost = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', () => {}); // it ends, too
    client.on('notification', ({ payload = '' }) => onMessage(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${name}`);
      listening = client;
      await Promise.race([lost, aborted(closing.signal)]);
    } finally {
      listening = undefined;
      // To a server that is silent its goodbye would take for ever.
      await Promise.race([client.end().catch(() => {}), delay(goodbyeMs, undefined, { ref: false })]);
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await listen().catch((error: unknown) => {
        log.debug({ err: new DatabaseError(error, false) }, 'the other replicas can not be heard');
      });
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  }
  const running = run();

  return {
    async publish(text) {
      try {
        await listening?.query('SELECT pg_notify($1, $2)', [name, text]);
      } catch (error) {
        // One that does not answer would never say that it is lost.
        void listening?.end().catch(() => {});
        throw new DatabaseError(error, true);
      }
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

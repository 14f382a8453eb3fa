import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import type { Channel, OpenChannel } from './replicas.ts';

const name = 'payment_service';
const retryMs = 1000;
const timeoutMs = 3000;
const endTimeoutMs = 500;

/** Opens the channel between the replicas on this database; undefined for SQLite, which serves one process. */
export async function replicaChannelOf(
  url: string,
  log: FastifyBaseLogger,
): Promise<OpenChannel | undefined> {
  if (url.startsWith('file:')) return undefined;
  const { default: driver } = await import('pg'); // imported here, so that it is not loaded for SQLite
  return (onMessage) => createReplicaChannel(driver.Client, url, onMessage, log);
}

/**
 * A channel over LISTEN and NOTIFY. It has a connection of its own, and reconnects when that is lost. Messages published in
 * between are lost.
 */
function createReplicaChannel(
  Client: typeof pg.Client,
  url: string,
  onMessage: (text: string) => void,
  log: FastifyBaseLogger,
): Channel {
  const closing = new AbortController();
  let listening: pg.Client | undefined;

  /** Resolves when the connection is lost. */
  async function listen(): Promise<void> {
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
    });
    const lost = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', () => {}); // 'end' follows
    client.on('notification', ({ payload = '' }) => onMessage(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${name}`);
      listening = client;
      await Promise.race([lost, aborted(closing.signal)]);
    } finally {
      listening = undefined;
      // Bounded, because with a server that does not answer the connection never ends.
      await Promise.race([client.end().catch(() => {}), delay(endTimeoutMs, undefined, { ref: false })]);
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await listen().catch((error: unknown) => {
        log.debug({ err: new DatabaseError(error, false) }, 'messages of other replicas can not be received');
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
        // The driver does not report a silent connection as lost, so it is ended here, and opened again.
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

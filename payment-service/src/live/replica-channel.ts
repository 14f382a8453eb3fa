import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import type { openSession, Session } from 'service-kit/postgres/session.ts';
import type { Channel, OpenChannel } from './replicas.ts';

const name = 'payment_service';
/** Names the session, so that those of releases which do not record themselves are known by having no name. */
const owner = 'payment-service';
const retryMs = 1000;
const timeoutMs = 3000;
const publishText =
  "SELECT pg_notify($1, $2), current_setting('transaction_read_only')::boolean AS is_read_only";

/** Opens the channel between the replicas on this database; undefined for SQLite, which serves one process. */
export async function replicaChannelOf(
  url: string,
  log: FastifyBaseLogger,
): Promise<OpenChannel | undefined> {
  if (url.startsWith('file:')) return undefined;
  // Imported here, so that SQLite does not load pg.
  const { openSession } = await import('service-kit/postgres/session.ts');
  return (onMessage) => createReplicaChannel(openSession, url, onMessage, log);
}

/**
 * A channel over LISTEN and NOTIFY. It has a connection of its own, and reconnects when that is lost. Messages published in
 * between are lost.
 */
function createReplicaChannel(
  open: typeof openSession,
  url: string,
  onMessage: (text: string) => void,
  log: FastifyBaseLogger,
): Channel {
  const closing = new AbortController();
  let listening: Session | undefined;

  /** Resolves when the connection is lost. */
  async function listen(): Promise<void> {
    const session = await open(url, { settings: { application_name: owner }, queryTimeoutMs: timeoutMs });
    const lost = new Promise<void>((resolve) => session.once('end', resolve));
    session.on('notification', ({ payload = '' }) => onMessage(payload));
    try {
      await session.query(`LISTEN ${name}`);
      listening = session;
      await Promise.race([lost, aborted(closing.signal)]);
    } finally {
      listening = undefined;
      await session.end();
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await listen().catch((error: unknown) => {
        log.debug({ err: new DatabaseError(error, false) }, 'messages of other replicas cannot be received');
      });
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  }
  const running = run();

  return {
    async publish(text) {
      const session = listening;
      try {
        const result = await session?.query(publishText, [name, text]);
        // A former primary that is still there would deliver messages to those alone who have not left it.
        if (result?.rows[0]?.is_read_only) void session?.end();
      } catch (error) {
        // The driver does not report a silent connection as lost, so it is ended here, and opened again.
        void session?.end();
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

import type { FastifyBaseLogger } from 'fastify';
import type { OpenChannel } from '../live/replicas.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { Store } from './store.ts';

const file = 'file:';

/** The store of one process at `file:` and a path, or that of several replicas at a `postgres://` URL. */
export async function openStore(url: string, leaseMs: number, log: FastifyBaseLogger): Promise<Store> {
  if (url.startsWith(file)) return openSqliteStore({ path: url.slice(file.length), leaseMs });
  const { openPostgresStore } = await import('./postgres/store.ts'); // whose driver nobody else has to load
  return openPostgresStore({ url, leaseMs, log });
}

/** How the replicas of a store tell each other what they do; undefined where there is only one. */
export async function channelOf(url: string, log: FastifyBaseLogger): Promise<OpenChannel | undefined> {
  if (url.startsWith(file)) return undefined;
  const { createPostgresChannel } = await import('../live/replica-channel.ts');
  return (onMessage) => createPostgresChannel(url, onMessage, log);
}

import type { FastifyReply } from 'fastify';

/**
 * Aborted once the client has closed its connection without the response. `request.signal` is no use where there is a body: it is
 * aborted when that has been read.
 */
export function clientGone({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

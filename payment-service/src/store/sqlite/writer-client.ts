import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { gather } from 'service-kit/batcher.ts';
import { CommitUnknown, StoreUnavailable } from '../store.ts';
import type { Outcome } from './group-commit.ts';
import { packed } from './packed.ts';
import type { WriterOptions } from './writer.ts';
import type { Write, Writes } from './writes.ts';

/** Writes that share a commit are one message: as objects, which take less time to clone than to make JSON of. */
export type Request = Write[] | 'emptyLog' | 'close';

/** The writer of a database, in a thread of its own: it alone waits for the disk and for locks. */
export interface WriterThread {
  /**
   * Carries a write out, in a transaction that it may share with others; resolves when it is on disk. Writes are carried out
   * in the order in which they were given.
   *
   * @throws StoreUnavailable or CommitUnknown
   */
  write<Name extends keyof Writes>(
    name: Name,
    ...args: Parameters<Writes[Name]>
  ): Promise<ReturnType<Writes[Name]>>;
  /**
   * False if it could not, because another process reads it, such as a backup.
   *
   * @throws StoreUnavailable or CommitUnknown
   */
  emptyLog(): Promise<boolean>;
  /** Lets the writes end that were given so far. */
  close(): Promise<void>;
}

/**
 * Resolves once the database is open. Should the thread die, what it has in hand rejects, and nobody handles the error: the
 * process stops, as after any that was not foreseen.
 *
 * @throws Error if the database can not be opened; then the thread has ended
 */
export async function startSqliteWriter(options: WriterOptions): Promise<WriterThread> {
  const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: options });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  try {
    await once(worker, 'message');
  } catch (error) {
    await ended;
    throw error;
  }

  let isOpen = true;
  /** Of requests that are under way, in their order, which is that of the answers. */
  const answers: PromiseWithResolvers<unknown>[] = [];
  worker.on('message', (answer) => answers.shift()?.resolve(answer));
  worker.once('exit', () => {
    isOpen = false;
    for (const { reject } of answers.splice(0)) reject(new CommitUnknown('the writer of the store has died'));
  });

  function ask<Answer>(request: Request): Promise<Answer> {
    if (!isOpen) throw new StoreUnavailable('the store is closed');
    worker.postMessage(request);
    const answer = Promise.withResolvers<unknown>();
    answers.push(answer);
    return answer.promise as Promise<Answer>;
  }

  const commit = gather((group: Write[]) => ask<Outcome<unknown>[]>(packed(group, (write) => write)));
  let latest: Promise<unknown> = Promise.resolve();

  return {
    write<Name extends keyof Writes>(name: Name, ...args: Parameters<Writes[Name]>) {
      const outcome = commit({ name, args } as Write) as Promise<Outcome<ReturnType<Writes[Name]>>>;
      latest = outcome;
      return outcome.then(resultOf);
    },
    emptyLog: async () => resultOf(await ask<Outcome<boolean>>('emptyLog')),
    async close() {
      await Promise.allSettled([latest]); // and with it all before it
      isOpen = false;
      worker.postMessage('close');
      await ended;
    },
  };
}

function resultOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw new StoreUnavailable('the store does not answer', { cause: outcome.error });
  return outcome.result;
}

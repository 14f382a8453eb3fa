import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Load, Order } from './load.ts';
import { endProcess } from './service-process.ts';

/** Runs loads, each in a process of its own. A process is used again after its load has ended. */
export interface Loaders extends AsyncDisposable {
  run(order: Order): Promise<Load>;
}

interface Loader {
  child: ChildProcess;
  ended: AbortSignal;
}

export function createLoaders(): Loaders {
  const loaders: Loader[] = [];
  const idle: Loader[] = [];

  function startLoader(): Loader {
    const child = fork('bench/load.ts');
    const ended = new AbortController();
    child.once('exit', () => ended.abort(new Error('the load process has ended')));
    const loader = { child, ended: ended.signal };
    loaders.push(loader);
    return loader;
  }

  return {
    async run(order) {
      const loader = idle.pop() ?? startLoader();
      const answered = once(loader.child, 'message', { signal: loader.ended });
      loader.child.send(order);
      const [load] = await answered;
      idle.push(loader);
      return load as Load;
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of loaders) await endProcess(child, () => child.kill('SIGKILL'));
    },
  };
}

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { spawnStart, starter } from './npm-start.ts';
import { spawnService } from './one-service.ts';
import { serviceNames } from './trio.ts';

/** Loads the statements before the program. */
const preload = (statements: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(statements)}`,
});

/** Makes one import take a second, and says when it begins. */
const slowImport = (name: string) =>
  preload(`
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === '${name}') {
          process.stderr.write('importing');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
        }
        return next(specifier, context);
      },
    });`);

const atListen = (signal: NodeJS.Signals) =>
  preload(`
    import { Server } from 'node:net';
    const { listen } = Server.prototype;
    Server.prototype.listen = function (...args) {
      process.kill(process.pid, '${signal}');
      return listen.apply(this, args);
    };`);

const cases = serviceNames.flatMap((name) =>
  (['SIGTERM', 'SIGINT'] as const).map((signal) => [signal, name] as const),
);

test.each(cases)('given %s while %s is still loading, it exits with 0', async (signal, name) => {
  const { child, ended } = await spawnService(name, { settings: slowImport('fastify') });
  await once(child.stderr as NodeJS.ReadableStream, 'data');
  child.kill(signal);
  expect(await ended).toEqual([0, null]);
});

test.each(cases)('given %s when %s begins to listen, it exits with 0', async (signal, name) => {
  const { ended } = await spawnService(name, { settings: atListen(signal) });
  expect(await ended).toEqual([0, null]);
});

test.each(
  serviceNames,
)('given a parent that ends while %s is still loading, it exits with 0', async (name) => {
  const { child, ended } = await spawnService(name, {
    settings: slowImport('fastify'),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  await once(child.stderr as NodeJS.ReadableStream, 'data');
  child.disconnect();
  expect(await ended).toEqual([0, null]);
});

test.each([
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
] as const)('given %s while the starter is still loading, it exits with 0 and starts nothing', async (signal) => {
  const started = await spawnStart('exec node scripts/start.js', { settings: slowImport('opossum') });
  await once(started.job.stderr as NodeJS.ReadableStream, 'data');
  expect(await started.pids(starter)).toEqual([started.job.pid]);
  started.job.kill(signal);
  expect(await started.ended).toEqual([0, null]);
  expect(await started.pids('')).toEqual([]);
});

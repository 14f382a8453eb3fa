import process from 'node:process';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { deleteSecrets } from './leaks.ts';

/**
 * The unit tests of a worker share its process and its modules, because a process and modules of its own cost a file up to a
 * second of CPU. The sources have no state in their modules; what a file could otherwise leave behind for the next one is
 * restored here, or fails the file.
 */
/** The same cases in each run, so that a failure is one of the change that is tested. */
fc.configureGlobal({ seed: 20_260_101 });

let before: Awaited<ReturnType<typeof readState>>;
beforeAll(async () => {
  deleteSecrets();
  before = await readState();
});
afterAll(async () => {
  vi.restoreAllMocks();
  expect(await readState()).toEqual(before);
});

async function readState() {
  // Not a static import: a file may have had the modules loaded anew.
  const { inSpan } = await import('service-kit/telemetry/correlation.ts');
  return {
    fakeTimers: vi.isFakeTimers(),
    recordsSpans: await inSpan('any', {}, async (span) => span.isRecording()),
    environment: { ...process.env },
    directory: process.cwd(),
    // Not those of exit, where pino has one for all its loggers.
    listeners: ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection'].map((name) =>
      process.listenerCount(name),
    ),
    globals: Object.getOwnPropertyNames(globalThis),
  };
}

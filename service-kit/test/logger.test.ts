import { execFile } from 'node:child_process';
import process from 'node:process';
import { expect, test } from 'vitest';

const logger = new URL('../src/server/start.ts', import.meta.url);

/** Runs the statements with a `log` of their own process; resolves with what it wrote to its standard output. */
async function linesOf(statements: string): Promise<string[]> {
  const code = `import { createLogger } from '${logger}'; const log = createLogger({ level: 'info' }); ${statements}`;
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(process.execPath, ['--input-type=module', '--eval', code], (_error, stdout) => resolve(stdout));
  const written = await promise;
  expect(written.endsWith('\n')).toBe(true);
  return written
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).msg);
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => `line ${number}`);
const logThem = (count: number) =>
  `for (let number = 0; number < ${count}; number += 1) log.info('line ' + number);`;

test.each([
  ['goes on', 'setTimeout(() => {}, 50);'],
  ['has nothing more to do', ''],
  ['exits', 'process.exit(1);'],
  ['ends by an error', "throw new Error('broken');"],
])('no line is lost of a process that %s', async (_what, end) => {
  expect(await linesOf(`${logThem(3)} ${end}`)).toEqual(numbers(3));
});

test('a fatal line is there before the process can end', async () => {
  expect(await linesOf(`${logThem(2)} log.fatal('fatal'); process.kill(process.pid, 'SIGKILL');`)).toEqual([
    ...numbers(2),
    'fatal',
  ]);
});

test('more lines than one write takes are all there, in their order', async () => {
  expect(await linesOf(logThem(5000))).toEqual(numbers(5000));
});

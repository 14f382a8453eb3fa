import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/eventually.ts';

const logger = new URL('../../src/http/start.ts', import.meta.url);

/** Runs the statements, with a `log`, in a process of their own. */
const argumentsFor = (statements: string) => [
  '--input-type=module',
  '--eval',
  `import { createLogger } from '${logger}'; const log = createLogger({ level: 'info' }); ${statements}`,
];

/** The standard output of such a process, once it has ended. */
async function linesOf(statements: string): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(process.execPath, argumentsFor(statements), (_error, stdout) => resolve(stdout));
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
])('given a process that %s, loses no line', async (_what, end) => {
  expect(await linesOf(`${logThem(3)} ${end}`)).toEqual(numbers(3));
});

test('a fatal line is written before the process can end', async () => {
  expect(await linesOf(`${logThem(2)} log.fatal('fatal'); process.kill(process.pid, 'SIGKILL');`)).toEqual([
    ...numbers(2),
    'fatal',
  ]);
});

test('given more lines than one write takes, writes all, in their order', async () => {
  expect(await linesOf(logThem(5000))).toEqual(numbers(5000));
});

test('given a line during a write, writes it without another line after it', async () => {
  // More than a pipe holds, so that the first write ends only when it is read.
  const statements = `
    import { mock } from 'node:test';
    log.info('long'.padEnd(1e6));
    mock.timers.enable({ apis: ['setTimeout'] });
    log.info('last');
    mock.timers.tick(1000); // it was not written with the first
    mock.timers.reset();
    process.stderr.write('both are given');
    setInterval(() => {}, 1000); // it goes on, and says nothing more`;
  const child = spawn(process.execPath, argumentsFor(statements), { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill());
  await once(child.stderr, 'data');
  const written: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    written.push(JSON.parse(line).msg.trim());
    if (written.length === 2) break;
  }
  expect(written).toEqual(['long', 'last']);
});

test('given a full disk that has room again, writes a notice on a line of its own, and goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'log');
  const statements = `${logThem(100)} process.stdin.once('data', () => { log.info('again'); process.exit(); });`;
  // Limits files to 4 KiB. The trap ignores SIGXFSZ, which would kill the process instead of failing its write.
  const script = `trap '' XFSZ; ulimit -f 4; exec "$0" "$@" >> ${file}`;
  const child = spawn('bash', ['-c', script, process.execPath, ...argumentsFor(statements)]);
  const closed = once(child, 'close');
  onTestFinished(() => void child.kill());
  const written = () => readFile(file, 'utf8').catch(() => '');
  const before = await eventually(written, ({ length }) => length === 4096, 10_000);

  await truncate(file);
  child.stdin.write('.');
  await closed;

  const [torn, notice = '', ...rest] = (await written()).split('\n');
  expect(torn).toBe('');
  const whole = before.split('\n').length - 1;
  expect(JSON.parse(notice)).toMatchObject({ level: 40, lost_lines: 100 - whole });
  expect(rest.filter(Boolean).map((line) => JSON.parse(line).msg)).toEqual(['again']);
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { type OneService, startOneService } from './one-service.ts';
import { parseLog } from './trio.ts';

/** Processes whose event loop hangs, and others that only look as if theirs did. */

const run = promisify(execFile);
const hanging = pathToFileURL('test/doubles/hanging-loop.ts').href;
/** The shortest hang that ends a process, in ms. */
const leaseMs = 3000;

const settings = (more: Record<string, string> = {}) => ({
  PROVIDER_TIMEOUT_MS: '500',
  NOTIFICATION_LEASE_MS: '1500',
  NODE_OPTIONS: `--import ${hanging}`,
  ...more,
});

async function start(more?: Record<string, string>) {
  const service = await startOneService('payment-service', { settings: settings(more) });
  let output = '';
  service.child.stdout?.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  return { ...service, lines: () => parseLog(output) };
}

const hang = async ({ child }: OneService) => void child.kill('SIGWINCH');

const isAlive = ({ url }: OneService) =>
  fetch(`${url}/health/live`, { signal: AbortSignal.timeout(2000) }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Ways to make a process stand still that end no process, with the settings that it starts with. */
const harmless: {
  what: string;
  disturb: (service: OneService) => Promise<unknown>;
  more?: Record<string, string>;
}[] = [
  { what: 'a hang shorter than the lease', disturb: hang, more: { HANG_MS: '2000' } },
  {
    what: 'a hang under a debugger',
    disturb: hang,
    more: { HANG_MS: '5000', NODE_OPTIONS: `--import ${hanging} --inspect=127.0.0.1:0` },
  },
  {
    what: 'a hang after a debugger was let in',
    async disturb(service) {
      service.child.kill('SIGUSR1');
      await delay(1500);
      await hang(service);
    },
    more: { HANG_MS: '5000', NODE_OPTIONS: `--import ${hanging} --inspect-port=127.0.0.1:0` },
  },
  {
    what: 'a pause of the whole process',
    async disturb({ child }) {
      child.kill('SIGSTOP');
      await delay(2 * leaseMs);
      child.kill('SIGCONT');
    },
  },
];

test('given an event loop that hangs, the process is killed, and its last line names the time', async () => {
  await Promise.all(
    ['JavaScript', 'native'].map(async (HANG_IN) => {
      const service = await start({ HANG_IN, LOG_LEVEL: 'silent' });
      await hang(service);
      const hungAt = Date.now();
      expect(await service.ended, HANG_IN).toEqual([null, 'SIGKILL']);
      expect(Date.now() - hungAt, HANG_IN).toBeGreaterThan(leaseMs);
      const last = service.lines().at(-1);
      expect(last, HANG_IN).toEqual({
        level: 60,
        time: expect.any(Number),
        pid: service.child.pid,
        hostname: expect.any(String),
        name: 'payment-service',
        hung_ms: 3400,
        msg: 'the event loop has hung for 3.4 s; the process is killed',
      });
      expect(Number(last?.time) - hungAt, HANG_IN).toBeGreaterThan(leaseMs);
    }),
  );
});

test('given a hang while the reader of the log stalls, the process is killed all the same', async () => {
  const { child, url, ended } = await startOneService('payment-service', {
    settings: settings(),
    stdio: ['ignore', 'pipe', 'ignore'],
    beside: 'head -c 70000 /dev/zero', // fills the pipe
  });
  await hang({ child, url, ended });
  expect(await ended).toEqual([null, 'SIGKILL']);
});

test('given a short hang, a debugger, or a pause of the whole process, the process lives on', async () => {
  await Promise.all(
    harmless.map(async ({ what, disturb, more }) => {
      const service = await start(more);
      await disturb(service);
      await delay(2 * leaseMs);
      expect(await isAlive(service), what).toBe(true);
      expect(
        service.lines().filter(({ level }) => Number(level) >= 60),
        what,
      ).toEqual([]);
      service.child.kill('SIGTERM');
      expect(await service.ended, what).toEqual([0, null]);
    }),
  );
});

test('given a process that works on after its event loop has ended, it is not killed', async () => {
  await Promise.all(
    [{ HANG_AT: 'exit' }, { HANG_AT: 'exit', HANG_IN: 'JavaScript' }].map(async (more) => {
      const service = await start({ HANG_MS: '5000', ...more });
      service.child.kill('SIGTERM');
      expect(await service.ended).toEqual([0, null]);
      expect(service.lines().at(-1)).toMatchObject({ msg: 'stopped' });
    }),
  );
});

test('given an event loop that hangs during a stop, the process is killed', async () => {
  const service = await start();
  await openRequest(service.url);
  service.child.kill('SIGTERM');
  await eventually(
    async () => service.lines().at(-1)?.msg,
    (msg) => msg === 'stopping',
    10_000,
  );
  await hang(service);
  expect(await service.ended).toEqual([null, 'SIGKILL']);
});

/** A request whose body does not come, so that a stop waits for it. */
async function openRequest(url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(
    'POST /payments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  );
  await delay(200);
}

test.runIf(process.platform === 'linux')(
  'given a hang of the first process of a container, which no signal of its own kills, it ends',
  async () => {
    const namespace = 'unshare --user --map-root-user --pid --fork --kill-child --mount-proc';
    const { child, ended } = await startOneService('payment-service', {
      settings: settings(),
      prefix: namespace,
    });
    const { stdout } = await run('pgrep', ['--newest', '--parent', String(child.pid)]);
    process.kill(Number(stdout), 'SIGWINCH');
    const [code] = await ended;
    expect(code).not.toBe(0);
  },
);

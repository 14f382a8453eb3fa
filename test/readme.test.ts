import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from './eventually.ts';

/** Runs what README.md tells a newcomer to run, in a copy of the repository, and compares what it prints. */

const run = promisify(execFile);
const readme = await readFile('README.md', 'utf8');
const ways = { processes: ['npm ci', 'npm start'], containers: ['docker compose up --build'] };
const [install, start] = inject('trio') === 'processes' ? ways.processes : [undefined, ...ways.containers];

interface Step {
  command: string;
  /** What it prints, where README.md shows it. A text with … in it stands for any value. */
  prints?: unknown;
}

/** The commands of the `sh` blocks in order; a `json` block is what the command before it prints. */
const steps: Step[] = [];
for (const [, language, text = ''] of readme.matchAll(/^```(sh|json)\n(.*?)^```$/gms)) {
  if (language === 'sh')
    steps.push(
      ...text
        .trim()
        .split('\n')
        .map((command) => ({ command })),
    );
  else Object.assign(steps.at(-1) as Step, { prints: JSON.parse(text, anyWhereEllipsis) });
}

function anyWhereEllipsis(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.includes('…') ? expect.anything() : value;
}

const ports = { 8000: 0, 8001: 0, 8002: 0 };
let folder: string;
let environment: NodeJS.ProcessEnv;
let running: ChildProcess;
let output = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'readme-'));
  const left = ['node_modules', '.git', 'data', '.env'];
  await cp('.', folder, { recursive: true, filter: (path) => !left.includes(basename(path)) });
  Object.assign(ports, await freePorts());
  environment = {
    ...newcomersEnvironment(),
    PAYMENT_SERVICE_PORT: String(ports[8000]),
    ALDEAMO_SERVICE_PORT: String(ports[8001]),
    TWILIO_SERVICE_PORT: String(ports[8002]),
    COMPOSE_PROJECT_NAME: `readme-${randomUUID()}`,
  };
  if (install) await sh(install);
  // A process group of its own, as a terminal gives it.
  running = spawn('bash', ['-c', `exec ${start}`], { cwd: folder, env: environment, detached: true });
  for (const stream of [running.stdout, running.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  await eventually(isReady, Boolean, 120_000).catch((error) => {
    throw new Error(`${start}: ${error.message}\n${output}`);
  });
});

afterAll(async () => {
  if (running.exitCode === null) process.kill(-(running.pid as number), 'SIGKILL');
  if (inject('trio') === 'containers') await sh('docker compose down --volumes --rmi local');
  await rm(folder, { recursive: true });
});

test('every command is run by a test', async () => {
  const ci = await readFile('.ci/run', 'utf8');
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const partsOfTest = Object.keys(scripts).filter((name) => scripts[name].startsWith(`${scripts.test} `));
  const setUp = [...ways.processes, ...ways.containers, ...partsOfTest.map((name) => `npm run ${name}`)];
  const elsewhere = steps
    .map(({ command }) => command)
    .filter((command) => !command.startsWith('curl ') && !setUp.includes(command));
  expect(elsewhere.filter((command) => !ci.includes(command))).toEqual([]);
  expect(steps.length).toBeGreaterThan(10);
});

test('the commands print what the page shows', async () => {
  for (const { command, prints } of steps.filter(({ command }) => command.startsWith('curl '))) {
    const { stdout } = await sh(
      command.replace(/localhost:(\d+)/g, (_, port: keyof typeof ports) => `localhost:${ports[port]}`),
    );
    if (prints) expect(JSON.parse(stdout), command).toEqual(prints);
  }
});

if (inject('trio') === 'processes') {
  test('npm start tells where to go on, and Ctrl-C ends it all', async () => {
    expect(output).toContain(`curl -X POST http://localhost:${ports[8000]}/payments`);
    expect(output).toMatch(/^payment \| .*INFO: payment notified/m);

    process.kill(-(running.pid as number), 'SIGINT');
    await once(running, 'close');

    expect(running.exitCode).toBe(0);
    for (const port of Object.values(ports))
      await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow();
  });
}

const sh = (command: string) => run('bash', ['-c', command], { cwd: folder, env: environment });

async function isReady(): Promise<boolean> {
  if (running.exitCode !== null) throw new Error(`ended with ${running.exitCode}`);
  try {
    const answers = await Promise.all(
      Object.values(ports).map((port) => fetch(`http://localhost:${port}/health/ready`)),
    );
    return answers.every(({ ok }) => ok);
  } catch {
    return false;
  }
}

/** Without what npm adds for the script that runs this test: its variables, and this repository's Node.js on the PATH. */
function newcomersEnvironment(): NodeJS.ProcessEnv {
  const foreign = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VITEST|NODE_ENV$|INIT_CWD$)/i.test(name),
  );
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  return { ...Object.fromEntries(foreign), PATH: path.join(delimiter) };
}

async function freePorts(): Promise<Record<number, number>> {
  const servers = await Promise.all(
    Object.keys(ports).map(async (port) => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return { port: Number(port), server, free: (server.address() as { port: number }).port };
    }),
  );
  await Promise.all(servers.map(({ server }) => once(server.close(), 'close')));
  return Object.fromEntries(servers.map(({ port, free }) => [port, free]));
}

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { throughputChart } from '../bench/chart.ts';
import { chartPath, report, reports } from '../bench/report.ts';
import { readResults } from '../bench/results.ts';
import { startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { noteSecrets, scanForLeaks } from './leaks.ts';

/** Runs the commands of README.md in a copy of the repository, and compares their output with the page. */

const run = promisify(execFile);
const readme = await readFile('README.md', 'utf8');
/** Run by replicas-of-containers.test.ts. */
const scaled =
  'docker compose -f docker-compose.yml -f docker-compose.scale.yml up --build --scale payment-service=3';
const startCommands = { processes: 'npm start', containers: 'docker compose up --build' };
const start = startCommands[inject('trio')];

interface Step {
  command: string;
  /** Its output, where README.md shows it. A text with … in it stands for any value. */
  prints?: unknown;
}

/** The commands of the `sh` blocks in order; a `json` block is the output of the command before it. */
function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  for (const [, language, text = ''] of markdown.matchAll(/^```(sh|json)\n(.*?)^```$/gms)) {
    if (language === 'sh')
      steps.push(
        ...text
          .trim()
          .split('\n')
          .map((command) => ({ command })),
      );
    else Object.assign(steps.at(-1) as Step, { prints: JSON.parse(text, anyWhereEllipsis) });
  }
  return steps;
}

const [beforeLive = '', goingLive = '', afterLive = ''] = readme.split(
  /(?<=\n)## (?=Going live\n|The API\n)/,
);

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
  const excluded = ['node_modules', '.git', 'data', '.env'];
  await cp('.', folder, { recursive: true, filter: (path) => !excluded.includes(basename(path)) });
  [ports[8000], ports[8001], ports[8002]] = (await freePorts(3)) as [number, number, number];
  environment = {
    ...newcomersEnvironment(),
    PAYMENT_SERVICE_PORT: String(ports[8000]),
    ALDEAMO_SERVICE_PORT: String(ports[8001]),
    TWILIO_SERVICE_PORT: String(ports[8002]),
    COMPOSE_PROJECT_NAME: `readme-${randomUUID()}`,
  };
  // Instead of `npm ci`, which .ci/run runs once for all tests.
  if (inject('trio') === 'processes') await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await startServices();
});

async function startServices(): Promise<void> {
  if (output) scanOutput();
  output = '';
  // A process group of its own, as in a terminal, so that a signal reaches all its processes.
  running = spawn('bash', ['-c', `exec ${start}`], { cwd: folder, env: environment, detached: true });
  for (const stream of [running.stdout, running.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  await eventually(isReady, Boolean, 120_000).catch((error) => {
    throw new Error(`${start}: ${error.message}\n${output}`);
  });
}

async function pressCtrlC(): Promise<void> {
  process.kill(-(running.pid as number), 'SIGINT');
  await once(running, 'close');
}

/** Scans the services' lines: JSON, behind a name in Compose. The other lines may show an example's text. */
function scanOutput(): void {
  const lines = output.split('\n').filter((line) => /^(\S+ +\| )?\{|^\S+ +\| /.test(line));
  scanForLeaks(start, lines);
}

async function follow(markdown: string): Promise<void> {
  for (const { command, prints } of stepsOf(markdown).filter(({ command }) => command.startsWith('curl '))) {
    noteSecrets(JSON.parse(/ -d '(\{.*?\})'/.exec(command)?.[1] ?? '{}'));
    const { stdout } = await sh(
      command.replace(/localhost:(\d+)/g, (_, port: keyof typeof ports) => `localhost:${ports[port]}`),
    );
    if (prints) expect(JSON.parse(stdout), command).toEqual(prints);
  }
}

afterAll(async () => {
  if (running.exitCode === null) process.kill(-(running.pid as number), 'SIGKILL');
  if (inject('trio') === 'containers') await sh('docker compose down --volumes --rmi local');
  await rm(folder, { recursive: true });
  scanOutput();
});

test('every command of README.md is run by a test or by .ci/run', async () => {
  const ci = await readFile('.ci/run', 'utf8');
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const partsOfTest = Object.keys(scripts).filter((name) => scripts[name].startsWith(`${scripts.test} `));
  const setUp = [...Object.values(startCommands), scaled, ...partsOfTest.map((name) => `npm run ${name}`)];
  const steps = stepsOf(readme);
  const elsewhere = steps
    .map(({ command }) => command)
    .filter((command) => !command.startsWith('curl ') && !setUp.includes(command));
  expect(elsewhere.filter((command) => !ci.includes(command))).toEqual([]);
  expect(steps.length).toBeGreaterThan(10);
});

test('README.es.md has the commands, the output and the names of README.md', async () => {
  const spanish = await readFile('README.es.md', 'utf8');
  const blocks = (page: string) => page.match(/^```(sh|json|env)\n.*?^```$/gms);
  const names = (page: string) =>
    page
      .replace(/^```.*?^```$/gms, '')
      .match(/`[^`]+`/g)
      ?.toSorted();
  expect(blocks(spanish)).toEqual(blocks(readme));
  expect(names(spanish)).toEqual(names(readme));
});

test('the pages and the chart show the measured figures', async () => {
  const results = await readResults();
  for (const path of reports) {
    const page = await readFile(path, 'utf8');
    expect(page).toBe(report(path, page, results));
    expect(page).not.toContain('Not measured yet.');
  }
  expect(await readFile(chartPath, 'utf8')).toBe(throughputChart(results.throughput?.data ?? []));
});

test('the commands of README.md print what it shows', () => follow(beforeLive + afterLive));

if (inject('trio') === 'processes') {
  test('npm start prints the next command, and Ctrl-C ends all services', async () => {
    expect(output).toContain(`curl -X POST http://localhost:${ports[8000]}/payments`);
    expect(output).toMatch(/^{.*"name":"payment-service".*"msg":"notification handled"}$/m);

    await pressCtrlC();

    expect(running.exitCode).toBe(0);
    for (const port of Object.values(ports))
      await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow();
  });

  // Not in containers, because they can not reach a server of this process.
  test("given servers that speak the providers' APIs, the steps of Going live send an SMS", async () => {
    const [, dotenv = ''] = /^```env\n(.*?)^```$/ms.exec(goingLive) ?? [];
    const { ALDEAMO_USERNAME, ALDEAMO_PASSWORD, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN } = parseEnv(dotenv);
    await using aldeamo = await startAldeamoUpstream({
      username: ALDEAMO_USERNAME,
      password: ALDEAMO_PASSWORD,
    });
    await using twilio = await startTwilioUpstream({
      accountSid: TWILIO_ACCOUNT_SID,
      authToken: TWILIO_AUTH_TOKEN,
    });
    await writeFile(
      join(folder, '.env'),
      `${dotenv}ALDEAMO_BASE_URL=${aldeamo.url}\nTWILIO_BASE_URL=${twilio.url}\n`,
    );
    await startServices();

    await follow(goingLive);

    expect(output).toContain('live: SMS are sent');
    expect(aldeamo.ledger).toMatchObject([{ to: '+573001234567', text: 'Pago recibido' }]);
    expect([...aldeamo.violations, ...twilio.violations, ...twilio.ledger]).toEqual([]);
    await pressCtrlC();
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

/** Without npm's variables and this repository's Node.js on the PATH, which npm adds for the script that runs this test. */
function newcomersEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VITEST|NODE_ENV$|NODE_COMPILE_CACHE$|INIT_CWD$)/i.test(name),
  );
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  return { ...Object.fromEntries(inherited), PATH: path.join(delimiter) };
}

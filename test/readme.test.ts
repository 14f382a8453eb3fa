import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { noteSecrets, scanForLeaks } from './leaks.ts';
import { liveSettings } from './live-settings.ts';
import {
  blocksOf,
  compareText,
  isMissing,
  isSetUp,
  type Page,
  readPages,
  runStep,
  startCommands,
} from './pages.ts';

/** Runs the steps of README.md and the other documents in a copy of the repository, and compares their output with the pages. */

const run = promisify(execFile);
const pages = await readPages();
const pageAt = (path: string) => pages.find((page) => page.path === path) as Page;
const start = startCommands[inject('trio')];

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

async function follow({ steps }: Page): Promise<void> {
  for (const step of steps.filter((step) => !isSetUp(step))) {
    if (isMissing(step)) continue;
    noteSecrets(JSON.parse(/ -d '(\{.*?\})'/.exec(step.text)?.[1] ?? '{}'));
    await runStep(step, ports, { cwd: folder, env: environment });
  }
}

afterAll(async () => {
  if (running.exitCode === null) process.kill(-(running.pid as number), 'SIGKILL');
  if (inject('trio') === 'containers') await sh('docker compose down --volumes --rmi local');
  await rm(folder, { recursive: true });
  scanOutput();
});

test.each(pages.filter(({ steps, dotenv }) => !steps.every(isSetUp) && dotenv === undefined))(
  'the steps of $path print what it shows',
  follow,
);

test('docs/observability.md lists the metrics of the services', async () => {
  const { markdown } = pageAt('docs/observability.md');
  const listed = markdown.match(/(?<=^\| `)(http|paysms)_\w+(?=`)/gm);
  const texts = await Promise.all(
    Object.values(ports).map(async (port) => (await fetch(`http://localhost:${port}/metrics`)).text()),
  );
  const published = new Set(texts.join('\n').match(/(?<=^# TYPE )(http|paysms)_\w+/gm));
  expect(listed?.toSorted()).toEqual([...published].sort());
});

if (inject('trio') === 'processes') {
  test('npm start prints the next command, and Ctrl-C ends all services', async () => {
    expect(output).toContain(`curl -X POST http://localhost:${ports[8000]}/payments`);
    expect(output).toMatch(/^{.*"name":"payment-service".*"msg":"notification handled"}$/m);

    await pressCtrlC();

    expect(running.exitCode).toBe(0);
    for (const port of Object.values(ports))
      await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow();
  });

  test('the commands of docs/operations.md without Docker back up and restore the payments, more than once', async () => {
    const blocks = blocksOf(pageAt('docs/operations.md').markdown).map(({ text }) => text);
    const [readPayments, procedures = ''] = blocks.filter((text) => text.includes('--no-docker'));
    const [backUp, restore] = procedures.split('\n');
    await startServices();
    const saved = await pay();
    await sh(String(backUp));
    await setTimeout(1000); // a backup's name has its second
    const savedLater = await pay();
    await sh(String(backUp));
    const lost = await pay();
    await pressCtrlC();

    for (const again of ['', '# again, a second later\nsleep 1\n']) await sh(`${again}${restore}`);

    await startServices();
    const { stdout: rows } = await sh(String(readPayments));
    expect(rows).toContain(saved);
    expect(rows).toContain(savedLater);
    expect(rows).not.toContain(lost);
    expect((await sh('stat --format %a backup backup/*.db data/payments.db')).stdout).toBe(
      '700\n600\n600\n600\n',
    );
    await pressCtrlC();
  });

  // Not in containers, because they cannot reach a server of this process.
  test("given servers that speak the providers' APIs, the steps of docs/providers.md send an SMS", async () => {
    const providers = pageAt('docs/providers.md');
    const { dotenv = '' } = providers;
    await using aldeamo = await startAldeamoUpstream();
    await using twilio = await startTwilioUpstream();
    const testPhone = '+573009876543';
    const live = liveSettings(aldeamo, twilio);
    const filledIn = dotenv.replace(/^(\w+)=.*$/gm, (line, name) =>
      live[name] ? `${name}=${live[name]}` : line,
    );
    await writeFile(
      join(folder, '.env'),
      `${filledIn}ALDEAMO_BASE_URL=${aldeamo.url}\nTWILIO_BASE_URL=${twilio.url}\n`,
    );
    await startServices();

    await follow(providers);

    const { stdout } = await sh(`npm run --silent check:live -- --to ${testPhone}`);
    const [shown] = blocksOf(providers.markdown).filter(({ language }) => language === 'text');
    compareText(String(shown?.text))(stdout);
    expect(output).toContain('live: SMS are sent');
    expect(aldeamo.ledger).toMatchObject([{ to: '+573001234567', text: 'Pago recibido' }, { to: testPhone }]);
    expect(twilio.ledger).toMatchObject([{ to: testPhone }]);
    expect([...aldeamo.violations, ...twilio.violations]).toEqual([]);
    await pressCtrlC();
  });
}

async function pay(): Promise<string> {
  const response = await fetch(`http://localhost:${ports[8000]}/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ amount: 1, customer_id: '123' }),
  });
  return ((await response.json()) as { payment_id: string }).payment_id;
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

import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { settingNames } from '../scripts/documented-settings.ts';
import { warnOfNames } from '../scripts/misspelled-settings.ts';
import { copyRepository, startCopy } from './copied-start.ts';
import { eventually } from './eventually.ts';
import { spawnStart, startJob } from './npm-start.ts';
import { spawnService, startOneService } from './one-service.ts';
import { serviceNames } from './trio.ts';

/** What a newcomer gets wrong first is answered with one line that says what to do. */

const announced = /Ctrl-C stops all three/;

async function portOfAnotherProgram(): Promise<string> {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return String((server.address() as AddressInfo).port);
}

test('given two ports in use by others, npm start names both services with the settings to change, and starts nothing', async () => {
  const running = await startOneService('twilio-service');
  const ALDEAMO_SERVICE_PORT = await portOfAnotherProgram();
  const TWILIO_SERVICE_PORT = new URL(running.url).port;
  const { code, stdout, stderr } = await startCopy(await copyRepository(), {
    settings: { ALDEAMO_SERVICE_PORT, TWILIO_SERVICE_PORT },
  });
  expect(stderr.trim().split('\n')).toEqual([
    `aldeamo-service cannot start: port ${ALDEAMO_SERVICE_PORT} is in use by another program: stop it, or set ALDEAMO_SERVICE_PORT to another port`,
    `twilio-service cannot start: port ${TWILIO_SERVICE_PORT} is in use by twilio-service of this project, which runs already (npm start or docker compose): stop it, or set TWILIO_SERVICE_PORT to another port`,
  ]);
  expect([code, stdout]).toEqual([1, '']);
});

test.each([
  ['npm start', [], 'The services'],
  ['npm start -- --demo', ['--demo'], 'The demo starts its own services, and they'],
])('given services that run already, a second %s says in one line where they are and what to do', async (_what, args, subject) => {
  const { urls } = await startJob('exec node scripts/start.js');
  const [payment, aldeamo, twilio] = Object.values(urls).map((url) => new URL(url).port);
  const { code, stdout, stderr } = await startCopy(await copyRepository(), {
    args,
    settings: { PAYMENT_SERVICE_PORT: payment, ALDEAMO_SERVICE_PORT: aldeamo, TWILIO_SERVICE_PORT: twilio },
  });
  expect([code, stdout, stderr]).toEqual([
    1,
    '',
    `${subject} run already, with their page at http://localhost:${payment}: stop them (Ctrl-C where npm start runs, or docker compose down), or set other ports (PAYMENT_SERVICE_PORT, ALDEAMO_SERVICE_PORT, TWILIO_SERVICE_PORT)\n`,
  ]);
});

test('given a HOST that is no address of this machine, npm start says so once for all services', async () => {
  const settings = { HOST: '203.0.113.1', ALLOW_ANONYMOUS: 'true' };
  const { code, stderr } = await startCopy(await copyRepository(), { settings });
  expect([code, stderr]).toEqual([
    1,
    'payment-service, aldeamo-service, twilio-service cannot start: 203.0.113.1 is not an address of this machine: set HOST to one that is, such as 127.0.0.1\n',
  ]);
});

test.each([
  'info',
  'silent',
])('given a port in use and LOG_LEVEL=%s, a service alone says so in one line', async (LOG_LEVEL) => {
  const PORT = await portOfAnotherProgram();
  const { child, ended } = await spawnService('aldeamo-service', { settings: { PORT, LOG_LEVEL } });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  expect(await ended).toEqual([1, null]);
  expect(output).toContain(
    `could not start: port ${PORT} is in use by another program: stop it, or set PORT`,
  );
  expect(output).not.toContain('    at ');
  expect(output.split('could not start')).toHaveLength(2);
});

test('given wrong settings of all three services, npm start names each once, and starts nothing', async () => {
  const { code, stdout, stderr } = await startCopy(
    await copyRepository('LOG_LEVEL=loud\nPROVIDER_TIMEOUT_MS=3s\n'),
    {
      settings: {
        TWILIO_FROM: '+1',
        ALDEAMO_USERNAME: 'pagos',
        ALDEAMO_PASSWORD: 'your-password',
        ALDEAMO_SERVICE_PORT: '0',
        TWILIO_SERVICE_PORT: 'x',
        STOP_TIMEOUT_MS: '-1',
      },
    },
  );
  expect([code, stdout]).toEqual([1, '']);
  const all = '  payment-service, aldeamo-service, twilio-service';
  expect(stderr).toContain(`${all}\n    LOG_LEVEL: must be one of`);
  expect(stderr).toContain('    STOP_TIMEOUT_MS: must be a whole number');
  expect(stderr).toContain('  payment-service\n    PROVIDER_TIMEOUT_MS: must be a whole number');
  expect(stderr).toContain('  twilio-service\n    TWILIO_SERVICE_PORT: must be a whole number');
  expect(stderr).toContain('    TWILIO_FROM: must be a phone number');
  expect(stderr).toContain('  aldeamo-service\n    ALDEAMO_PASSWORD: is a placeholder');
  expect(stderr.match(/LOG_LEVEL:/g)).toHaveLength(1);
  expect(stderr).not.toContain('    at ');
});

test('given ports that no trio can have, npm start names the settings', async () => {
  const { code, stderr } = await startCopy(await copyRepository(), {
    settings: { PAYMENT_SERVICE_PORT: '0', ALDEAMO_SERVICE_PORT: '9001', TWILIO_SERVICE_PORT: '9001' },
  });
  expect(code).toBe(1);
  expect(stderr).toContain('    PAYMENT_SERVICE_PORT: must be at least 1');
  expect(stderr).toContain('    TWILIO_SERVICE_PORT: must differ from ALDEAMO_SERVICE_PORT');
});

test.each([
  ['LOG_LEVL', 'did you mean LOG_LEVEL?'],
  ['log_level', 'did you mean LOG_LEVEL?'],
  ['LOG_LEVLE', 'did you mean LOG_LEVEL?'],
  ['HOME', undefined],
  ['HOSTS', 'did you mean HOST?'],
  ['API_KEY', 'did you mean API_KEYS?'],
  ['ALDEAMO_USER', 'did you mean ALDEAMO_USERNAME?'],
  ['TWILIO_PHONE_NUMBER', '.env.example has all of them'],
  ['HTTP_PROXY', 'did you mean HTTPS_PROXY?'],
  ['https_proxy', undefined],
  ['LOG_LEVEL', undefined],
  ['POSTGRES_PASSWORD', undefined],
  ['COMPOSE_PROJECT_NAME', undefined],
  ['PATH', undefined],
])('given %s in .env, npm start warns as it should', (name, warning) => {
  const warnings = warning
    ? [expect.stringContaining(`.env sets ${name}, which is no setting: ${warning}`)]
    : [];
  expect(warnOfNames([name])).toEqual(warnings);
});

test('given misspelled names in .env, npm start warns of each and goes on', async () => {
  const folder = await copyRepository('LOG_LEVL=warn\nPROVIDER_TIMEOUT=1\nPORT=1\nEDITOR=vi\n');
  const { code, stderr } = await startCopy(folder, {}, announced);
  expect(code).toBe(0);
  expect(stderr.split('\n').filter((line) => line.startsWith('.env'))).toEqual([
    '.env sets LOG_LEVL, which is no setting: did you mean LOG_LEVEL?',
    '.env sets PROVIDER_TIMEOUT, which is no setting: did you mean PROVIDER_TIMEOUT_MS?',
    '.env sets PORT, which has no effect with npm start: set PAYMENT_SERVICE_PORT, ALDEAMO_SERVICE_PORT, TWILIO_SERVICE_PORT',
  ]);
});

test('given lines of .env that set nothing, npm start warns of each without what may be a secret, and goes on', async () => {
  const lines = [
    'ALDEAMO_LATENCY_MS: 7',
    'ADMIN_API_KEY: c2VjcmV0c2VjcmV0==',
    '# LOG_LEVEL: warn',
    'export LOG_LEVEL=info',
    'set twilio-latency-ms=9',
    'hunter2hunter2hunter2',
    'LOG_LEVEL=silent',
    'REPLICA_NAME="one',
    'PROVIDER_TIMEOUT_MS=2500 # "',
    'REPLICA_NAME=shop#hunter2',
  ];
  const { code, stderr } = await startCopy(await copyRepository(lines.join('\r\n')), {}, announced);
  expect(code).toBe(0);
  expect(stderr.split('\n').filter((line) => line.startsWith('.env'))).toEqual([
    '.env, line 1, is not NAME=value and has no effect: did you mean ALDEAMO_LATENCY_MS=…?',
    '.env, line 2, is not NAME=value and has no effect: did you mean ADMIN_API_KEY=…?',
    '.env, line 5, is not NAME=value and has no effect: did you mean TWILIO_LATENCY_MS=…?',
    '.env, line 6, is not NAME=value and has no effect: a comment begins with #',
    '.env, line 8, opens a quotation mark for REPLICA_NAME and does not close it: close it on this line, or remove it',
    '.env, line 10, has a value of REPLICA_NAME that is cut at a # or a quotation mark: put it into quotation marks of another kind',
    '.env sets LOG_LEVEL in the lines 4, 7, and the last one counts: remove the others',
    '.env sets REPLICA_NAME in the lines 8, 10, and the last one counts: remove the others',
  ]);
  expect(stderr).not.toMatch(/c2VjcmV0|hunter2/);
});

test('given a line of .env that sets nothing, a service alone warns of it', async () => {
  const { child } = await spawnService('aldeamo-service', { envFile: 'STOP_TIMEOUT_MS: 7\n' });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await eventually(
    async () => output,
    (text) => text.includes('listening on'),
    30_000,
  );
  expect(output).toContain('"msg":".env, line 1, is not NAME=value and has no effect"');
});

test('given a misspelled name beside a setting that is missing for it, npm start names both', async () => {
  const folder = await copyRepository('ALDEAMO_USERNAME=juan\nALDEAMO_PASWORD=x\n');
  const { code, stderr } = await startCopy(folder);
  expect(code).toBe(1);
  expect(stderr).toContain('ALDEAMO_PASSWORD: is required with ALDEAMO_USERNAME');
  expect(stderr).toContain('.env sets ALDEAMO_PASWORD, which is no setting: did you mean ALDEAMO_PASSWORD?');
});

test('given secrets in files that are wrong, npm start names each file once, for the services that read it, and no content', async () => {
  const folder = await copyRepository(
    'ADMIN_API_KEY_FILE=./admin\nSERVICE_TOKEN_FILE=./token\nALDEAMO_PASSWORD_FILE=./password\nLOG_LEVEL_FILE=./level\n',
  );
  await writeFile(join(folder, 'admin'), 'hunter2\n');
  await writeFile(join(folder, 'password'), '');
  const { code, stdout, stderr } = await startCopy(folder);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr.split('\n').slice(1, -3)).toEqual([
    '  payment-service, aldeamo-service, twilio-service',
    `    SERVICE_TOKEN_FILE: ${folder}/token does not exist`,
    '    ADMIN_API_KEY_FILE: must have at least 16 characters',
    '  aldeamo-service',
    `    ALDEAMO_PASSWORD_FILE: ${folder}/password is empty`,
  ]);
  expect(stderr).toContain('.env sets LOG_LEVEL_FILE, but only secrets are read from files: set LOG_LEVEL\n');
  expect(stderr).not.toContain('hunter2');
});

test('given a .env of Windows with a byte order mark, npm start reads its first setting', async () => {
  const taken = await portOfAnotherProgram();
  const folder = await copyRepository(`\ufeffPAYMENT_SERVICE_PORT=${taken}\r\n`);
  const { code, stderr } = await startCopy(folder, { settings: { PAYMENT_SERVICE_PORT: undefined } });
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(`payment-service cannot start: port ${taken} is in use`),
  ]);
});

test('every setting of .env.example is one that npm start knows', async () => {
  const example = await readFile('.env.example', 'utf8');
  const names = [...example.matchAll(/^(?:# )?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(50);
  expect(names.filter((name) => !settingNames.includes(name ?? ''))).toEqual([]);
});

test('given a database that cannot be written, npm start names it and the remedy, and announces nothing', async () => {
  const folder = await copyRepository();
  await writeFile(join(folder, 'data'), ''); // in place of the folder, because root may write in any
  const { code, stdout, stderr } = await startCopy(folder);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toBe(
    `payment-service cannot start: the database ${folder}/data/payments.db cannot be written (ENOTDIR at ${folder}/data/payments.db): give this user the right to write there, or set DATABASE_URL to another path\n`,
  );
});

test('given another working directory, npm start reads .env and keeps the data in the repository', async () => {
  const folder = await copyRepository('LOG_LEVEL=silent\n');
  const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'));
  onTestFinished(() => rm(elsewhere, { recursive: true }));
  const { code, stdout } = await startCopy(folder, { cwd: elsewhere }, announced);
  expect([code, stdout]).toEqual([0, '']); // silent, and announced all the same
  await access(join(folder, 'data/payments.db'));
  await expect(access(join(elsewhere, 'data'))).rejects.toThrow('ENOENT');
});

test.each([
  [
    'no dependencies',
    'node_modules',
    'The dependencies are not installed: @fastify/rate-limit 11.2.0 is missing. Run: npm ci\n',
  ],
  [
    'the dependencies of an older version',
    'newer',
    'The dependencies are not installed: zod 99.0.0 is missing. Run: npm ci\n',
  ],
])('given %s, npm start asks for npm ci', async (_what, change, expected) => {
  const folder = await copyRepository();
  if (change === 'node_modules') await rm(join(folder, 'node_modules'));
  else {
    const path = join(folder, 'twilio-service/package.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/"zod": ".*"/, '"zod": "99.0.0"'));
  }
  expect(await startCopy(folder)).toEqual({ code: 1, stdout: '', stderr: expected });
});

const pretend = (version: string) =>
  `--import=data:text/javascript,${encodeURIComponent(`Object.defineProperty(process.versions, 'node', { value: '${version}' })`)}`;

/** The services repeat it, because their images do not have this file. */
async function neededMajor(): Promise<string> {
  const { engines } = JSON.parse(await readFile('package.json', 'utf8'));
  return engines.node.match(/^>=(\d+)$/)[1];
}

test('given Node.js 20, the start names the Node.js that it needs and where it is', async () => {
  const folder = await copyRepository();
  const { code, stderr } = await startCopy(folder, { nodeArgs: [pretend('20.20.2')] });
  expect([code, stderr]).toEqual([
    1,
    `Node.js ${await neededMajor()} is needed, and this is 20.20.2. npm ci has installed it. Run: npm start\n`,
  ]);
});

test.each(serviceNames)('given Node.js 24, %s names the Node.js that it needs', async (name) => {
  const { child, ended } = await spawnService(name, {
    settings: { NODE_OPTIONS: pretend('24.1.0') },
  });
  let output = '';
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  expect(await ended).toEqual([1, null]);
  expect(output).toContain(
    `Node.js ${await neededMajor()} is needed, and this is 24.1.0. npm ci installs it`,
  );
});

test.each([
  [
    'an unknown argument',
    ['--demmo'],
    [1, '', expect.stringMatching(/^Unknown argument --demmo: npm start runs .*--demo.*\n$/)],
  ],
  ['--help', ['--help'], [0, expect.stringMatching(/^npm start runs .*--demo.*\n$/), '']],
])('given %s, the start prints its usage in one line', async (_what, args, expected) => {
  const { code, stdout, stderr } = await startCopy(await copyRepository(), { args });
  expect([code, stdout, stderr]).toEqual(expected);
});

test('given arguments behind npm start --, the starter gets them', async () => {
  const { job, ended } = await spawnStart('exec npm start -- --help');
  let output = '';
  job.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  expect(await ended).toEqual([0, null]);
  expect(output).toContain('npm start runs the three services');
});

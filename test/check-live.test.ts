import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { copyRepository } from './copied-start.ts';
import { aldeamo, aldeamoPackage, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream, twilio } from './doubles/twilio-upstream.ts';
import { liveSettings } from './live-settings.ts';
import { startProcesses } from './trio-of-processes.ts';

/** `npm run check:live`, and the same by the services that run, before doubles of the providers. */

const phone = '+573001234567';
const otherDigits = '0123456789abcdef'.repeat(2);
const without = (...names: string[]) => Object.fromEntries(names.map((name) => [name, '']));
const sandboxOf = {
  Aldeamo: without('ALDEAMO_USERNAME', 'ALDEAMO_PASSWORD'),
  Twilio: without('TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM', 'PUBLIC_URL'),
};

async function startProviders() {
  const [aldeamoApi, twilioApi] = await Promise.all([startAldeamoUpstream(), startTwilioUpstream()]);
  onTestFinished(async () => {
    expect([...aldeamoApi.violations, ...twilioApi.violations]).toEqual([]);
    for (const api of [aldeamoApi, twilioApi]) await api[Symbol.asyncDispose]();
  });
  return { aldeamoApi, twilioApi, live: liveSettings(aldeamoApi, twilioApi) };
}

interface Ended {
  code: number | null;
  lines: string[];
  stderr: string;
}

const run = (command: string[], cwd: string, settings: Record<string, string>): Promise<Ended> =>
  new Promise((end) => {
    const [program = '', ...args] = command;
    const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...settings };
    const child = execFile(program, args, { cwd, env, timeout: 50_000 }, (_error, stdout, stderr) => {
      const lines = stdout.split('\n').filter(Boolean);
      expect(`${stdout}${stderr}`).not.toMatch(/s3creta|fedcba|3001234567.*@/);
      end({ code: child.exitCode, lines, stderr });
    });
  });

/** By .env, as an operator has it. */
async function check(settings: Record<string, string>, ...args: string[]): Promise<Ended> {
  const dotenv = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  const folder = await copyRepository(dotenv.join(''));
  return run([process.execPath, 'scripts/check-live.ts', ...args], folder, {});
}

test('given two right accounts, says so with the balance, and sends nothing', async () => {
  const { live, aldeamoApi, twilioApi } = await startProviders();
  aldeamoApi.packages = [aldeamoPackage(1200)];
  expect(await check(live)).toEqual({
    code: 0,
    lines: [
      'Aldeamo: live, the account is accepted, 1200 SMS are left',
      'Twilio: live, the account is accepted',
    ],
    stderr: '',
  });
  expect([aldeamoApi.sends, twilioApi.sends]).toEqual([0, 0]);
});

test('given --to, sends one test SMS through each provider and prints its id', async () => {
  const { live, aldeamoApi, twilioApi } = await startProviders();
  const { code, lines } = await check(live, '--to', '300 123 4567');
  expect([aldeamoApi.ledger, twilioApi.ledger]).toMatchObject([
    [{ to: phone, text: 'SMS de prueba por Aldeamo' }],
    [{ to: phone, text: 'SMS de prueba por Twilio' }],
  ]);
  expect(code).toBe(0);
  expect(lines.filter((line) => line.includes('test SMS'))).toEqual([
    `Aldeamo: test SMS accepted, message id ${aldeamoApi.ledger[0]?.transactionId}`,
    `Twilio: test SMS accepted, message id ${twilioApi.ledger[0]?.sid}`,
  ]);
});

test('given wrong credentials of both, names the settings to correct, and sends no test SMS', async () => {
  const { live, aldeamoApi, twilioApi } = await startProviders();
  const wrong = { ALDEAMO_PASSWORD: 'another', TWILIO_AUTH_TOKEN: otherDigits };
  const { code, lines } = await check({ ...live, ...wrong }, `--to=${phone}`);
  expect([code, aldeamoApi.sends, twilioApi.sends]).toEqual([1, 0, 0]);
  expect(lines).toEqual([
    'Aldeamo: live, the account is refused (credentials): correct ALDEAMO_USERNAME and ALDEAMO_PASSWORD; no test SMS is sent',
    expect.stringMatching(
      /^Twilio: live, the account is refused \(credentials\): correct TWILIO_ACCOUNT_SID and/,
    ),
  ]);
});

test('given a sender that Twilio refuses, shows it by the test SMS alone', async () => {
  const { live, twilioApi } = await startProviders();
  twilioApi.answerAll(twilio.error(21606));
  expect(await check(live)).toMatchObject({ code: 0 });
  const { code, lines } = await check(live, '--to', phone);
  expect([code, lines.at(-1)]).toEqual([
    1,
    'Twilio: test SMS not_sent (twilio_21606): correct TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID',
  ]);
});

test('given a key that may only create messages, is fine once a test SMS is accepted', async () => {
  const { live, twilioApi } = await startProviders();
  const key = { TWILIO_API_KEY_SID: `SK${otherDigits}`, TWILIO_API_KEY_SECRET: 'secret' };
  twilioApi.apiKeys.set(key.TWILIO_API_KEY_SID, key.TWILIO_API_KEY_SECRET);
  twilioApi.restrictedKeys.add(key.TWILIO_API_KEY_SID);
  const { code, lines } = await check({ ...live, ...key });
  expect([code, lines.at(-1)]).toEqual([
    1,
    'Twilio: live, only an SMS can show whether the account is accepted (check_forbidden): the API key may not read messages; send a test SMS with --to',
  ]);
  expect(await check({ ...live, ...key }, '--to', phone)).toMatchObject({ code: 0 });
});

test('given a package that is used up, is not fine', async () => {
  const { live, aldeamoApi } = await startProviders();
  aldeamoApi.packages = [aldeamoPackage(0)];
  const { code, lines } = await check(live);
  expect([code, lines[0]]).toEqual([
    1,
    'Aldeamo: live, the account is accepted, and no SMS are left: top up the account',
  ]);
});

test('given a provider that cannot be reached, and one behind a proxy that is not there, names what to check', async () => {
  const { live } = await startProviders();
  const { code, lines } = await check(
    {
      ...live,
      ALDEAMO_BASE_URL: 'http://127.0.0.1:9',
      TWILIO_BASE_URL: 'https://twilio.test',
      HTTPS_PROXY: 'http://127.0.0.1:9',
    },
    '--to',
    phone,
  );
  expect([code, ...lines]).toEqual([
    1,
    'Aldeamo: live, its API is not reached, or fails (connection_refused): check the network, HTTPS_PROXY and ALDEAMO_BASE_URL; no test SMS is sent',
    'Twilio: live, its API is not reached, or fails (proxy_unreachable): the proxy cannot be reached; check HTTPS_PROXY, or add the host to NO_PROXY; no test SMS is sent',
  ]);
});

test('given one sandbox, names it and sends through the other alone', async () => {
  const { live, aldeamoApi, twilioApi } = await startProviders();
  const { code, lines } = await check({ ...live, ...sandboxOf.Twilio }, '--to', phone);
  expect([code, aldeamoApi.ledger.length, twilioApi.sends]).toEqual([0, 1, 0]);
  expect(lines.slice(2)).toEqual([
    'Twilio: a sandbox, because it has no credentials; no SMS is sent',
    'One provider is live and the other is not: there is no failover, see docs/providers.md#one-live-provider',
  ]);
});

test('given two sandboxes, says that nothing is live, and is not fine', async () => {
  const { code, lines } = await check({});
  expect([code, lines.at(-1)]).toEqual([
    1,
    'No provider is live: set the credentials, see docs/providers.md#going-live',
  ]);
});

test.each([
  [['--from', phone]],
  [['--to']],
  [['--to', '123']],
  [[phone]],
])('given the arguments %j, prints one line of usage and asks nothing', async (args) => {
  const { code, lines, stderr } = await check({}, ...args);
  expect([code, lines]).toEqual([1, []]);
  expect(stderr).toMatch(/^Usage: npm run check:live.*\n$/);
});

test('given wrong settings, names them as npm start does', async () => {
  const { code, lines, stderr } = await check({ TWILIO_ACCOUNT_SID: 'AC1', ALDEAMO_USERNAME: 'pagos' });
  expect([code, lines]).toEqual([1, []]);
  expect(stderr).toContain('TWILIO_ACCOUNT_SID: must be AC and 32 hexadecimal digits');
  expect(stderr).toContain('ALDEAMO_PASSWORD: is required with ALDEAMO_USERNAME');
});

test('given npm without the -- before --to, takes the phone all the same', async () => {
  const { live, aldeamoApi } = await startProviders();
  const folder = await copyRepository();
  const { code } = await run(['npm', 'run', '--silent', 'check:live', `--to=${phone}`], folder, live);
  expect([code, aldeamoApi.ledger.length]).toEqual([0, 1]);
});

test('given services that run, checks them from payment-service by what they find', async () => {
  const { live, aldeamoApi, twilioApi } = await startProviders();
  twilioApi.answerAll(twilio.error(21606));
  await using trio = await startProcesses(live);
  const checkServices = (...args: string[]) =>
    run([process.execPath, resolve('payment-service/src/check-live.ts'), ...args], '/tmp', {
      ALDEAMO_SERVICE_URL: trio.url('aldeamo-service'),
      TWILIO_SERVICE_URL: trio.url('twilio-service'),
    });
  expect(await checkServices()).toEqual({
    code: 0,
    lines: [
      'Aldeamo: live, the account is accepted, 1000000 SMS are left',
      'Twilio: live, the account is accepted',
    ],
    stderr: '',
  });
  const { code, lines } = await checkServices('--to', phone);
  expect([code, aldeamoApi.ledger.length, twilioApi.sends]).toEqual([1, 1, 1]);
  expect(lines[1]).toBe(`Aldeamo: test SMS accepted, message id ${aldeamoApi.ledger[0]?.transactionId}`);
  expect(lines[3]).toMatch(/^Twilio: test SMS not_sent \(twilio_21606\): correct TWILIO_FROM/);
  expect((await checkServices('--too')).stderr).toMatch(/^Usage: node src\/check-live\.ts.*\n$/);

  aldeamoApi.answerAll(aldeamo.unauthorized);
  await trio.kill('twilio-service');
  const broken = await checkServices('--to', phone);
  expect(broken.code).toBe(1);
  expect(broken.lines).toEqual([
    expect.stringContaining('the account is accepted'),
    'Aldeamo: test SMS not_sent (credentials): correct ALDEAMO_USERNAME and ALDEAMO_PASSWORD',
    'Twilio: its service does not answer; start it, and see its log',
  ]);
});

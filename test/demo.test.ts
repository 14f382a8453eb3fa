import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { showFailover } from '../scripts/demo.ts';
import { openPage } from '../scripts/open-page.ts';
import { readSettings } from '../scripts/settings.ts';
import { copyRepository, startCopy } from './copied-start.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { type NpmStart, spawnStart, startJob } from './npm-start.ts';

const port = (url: string) => new URL(url).port;

const settingsOf = ({ urls }: NpmStart) =>
  readSettings({
    HOST: '127.0.0.1',
    PAYMENT_SERVICE_PORT: port(urls.payment),
    ALDEAMO_SERVICE_PORT: port(urls.aldeamo),
    TWILIO_SERVICE_PORT: port(urls.twilio),
  });

const brief = { paymentMs: 1, readMs: 1, patienceMs: 1000 };

test('the demo shows a failover and the recovery, loses no payment, and leaves the sandbox as it was', async () => {
  const started = await startJob('exec node scripts/start.js', {
    settings: {
      ALDEAMO_LATENCY_MS: '0',
      TWILIO_LATENCY_MS: '0',
      ALDEAMO_DELIVERY_MS: '20',
      TWILIO_DELIVERY_MS: '20',
      ALDEAMO_FAILURE_RATE: '0.25',
      CIRCUIT_RESET_TIMEOUT_MS: '600000',
    },
  });
  let text = '';
  const signal = new AbortController().signal;
  await showFailover(
    {
      settings: settingsOf(started),
      say: (part) => {
        text += part;
      },
      signal,
    },
    brief,
  );

  expect(text).toMatch(
    /Aldeamo is healthy.*Aldeamo breaks now.*circuit is open.*Aldeamo has recovered.*circuit is closed.*delivers none/s,
  );
  expect(text).toMatch(
    /The demo made (\d+) payments, and this became of their SMS: 6 delivered by Aldeamo, \d+ delivered by Twilio\./,
  );
  expect(text.match(/pmt_\w+ {2}Aldeamo ✓ undelivered, Twilio ✓✓ delivered\n/g)).toHaveLength(2);
  const { body: sandbox } = await call('GET', `${started.urls.aldeamo}/sandbox`);
  expect(sandbox).toMatchObject({ failure_rate: 0.25, undelivered_rate: 0 });
  expect((await pay(started.urls.payment, { customer_id: 'after' })).status).toBe(201);
});

test('given a service that is gone, the demo says why it ends early', async () => {
  const settings = readSettings({
    HOST: '127.0.0.1',
    PAYMENT_SERVICE_PORT: '1',
    ALDEAMO_SERVICE_PORT: '2',
    TWILIO_SERVICE_PORT: '3',
  });
  let text = '';
  const signal = new AbortController().signal;
  await showFailover(
    {
      settings,
      say: (part) => {
        text += part;
      },
      signal,
    },
    brief,
  );
  expect(text).toContain('The demo ends early: ');
});

test('given npm start -- --demo, announces it, and SIGTERM in the middle of it ends all with 0', async () => {
  const { job, ended, pids } = await spawnStart('exec npm start -- --demo');
  let output = '';
  job.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  await eventually(
    async () => output,
    (text) => text.includes('1. Aldeamo is healthy'),
    30_000,
  );
  job.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await eventually(
    () => pids(''),
    ({ length }) => length === 0,
    1000,
  );
  expect(output).not.toContain('ends early');
});

const hex = '0123456789abcdef'.repeat(2);
const keys = {
  ADMIN_API_KEY: 'a'.repeat(16),
  SERVICE_TOKEN: 's'.repeat(16),
  API_KEYS: `shop:${'k'.repeat(16)}`,
};

test.each<[string, Record<string, string>, string]>([
  ['a live Aldeamo', { ALDEAMO_USERNAME: 'user', ALDEAMO_PASSWORD: 'secret' }, 'Aldeamo would send real SMS'],
  [
    'a live Twilio',
    { TWILIO_ACCOUNT_SID: `AC${hex}`, TWILIO_AUTH_TOKEN: hex, TWILIO_FROM: '+15005550006' },
    'Twilio would send real SMS',
  ],
  ['keys', keys, 'keys are set'],
  [
    'a shared database',
    { DATABASE_URL: 'postgres://127.0.0.1/payments' },
    'DATABASE_URL is a database that others may use',
  ],
])('given %s, the demo is refused in one line before anything starts', async (_what, settings, reason) => {
  const { code, stdout, stderr } = await startCopy(await copyRepository(), { settings, args: ['--demo'] });
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^The demo is for sandboxes alone, and .*\.\n$/);
  expect(stderr).toContain(reason);
});

async function openWith(environment: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'browser-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const browser = join(folder, 'xdg-open');
  await writeFile(browser, `#!/bin/sh\nprintf %s "$1" > ${folder}/opened\n`);
  await chmod(browser, 0o755);
  openPage('http://localhost:8000', { PATH: `${folder}:/usr/bin:/bin`, ...environment });
  const opened = () => readFile(join(folder, 'opened'), 'utf8').catch(() => '');
  return eventually(opened, Boolean, 500).catch(() => '');
}

test('given a display, the demo opens the page in a browser', async () => {
  expect(await openWith({ DISPLAY: ':0' })).toBe('http://localhost:8000');
  expect(await openWith({ WAYLAND_DISPLAY: 'wayland-0' })).toBe('http://localhost:8000');
});

test('given no display, or a remote one, the demo opens nothing; given no browser, it goes on', async () => {
  expect(await openWith({})).toBe('');
  expect(await openWith({ DISPLAY: ':0', SSH_CONNECTION: '10.0.0.1' })).toBe('');
  openPage('http://localhost:8000', { DISPLAY: ':0', PATH: '/nowhere' });
});

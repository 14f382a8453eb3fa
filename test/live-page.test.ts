import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  browser,
  card,
  faults,
  green,
  headlineColors,
  headlineFaults,
  open,
  picture,
  pictureOfReadme,
  seriousViolations,
  useChromium,
  waitForActiveProvider,
  withoutChromium,
} from './chromium.ts';
import { startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { aldeamoSettings, liveSettings } from './live-settings.ts';
import { startPostgres } from './postgres-server.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The live page in Chromium, served by a trio of processes. Its pictures are in test/output/. */

const settings = {
  ALDEAMO_LATENCY_MS: '20',
  TWILIO_LATENCY_MS: '20',
  CIRCUIT_RESET_TIMEOUT_MS: '3500',
  PROVIDER_TIMEOUT_MS: '3000',
};

const undisturbed = {
  failure_rate: 0,
  slow_rate: 0,
  undelivered_rate: 0,
  not_sent_rate: 0,
  filtered_rate: 0,
  refused_rate: 0,
};

let trio: Trio;
let url: string;
/** Whether the plot of a provider shows accepted sends, which are green. */
const isPlotted = (page: Page, provider: string) =>
  page.evaluate<boolean>(`{
    const canvas = document.querySelector('[data-provider="${provider}"] canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    data.some((channel, at) => at % 4 === 1 && channel > data[at - 1] + 60 && channel > data[at + 1] + 20);
  }`);
const radio = (page: Page, provider: string, choice: string) =>
  card(page, provider).getByRole('radio', { name: choice, exact: true });
/** Once the page shows another choice, as a former one may be shown for a moment. Until the service has answered. */
const choose = async (page: Page, provider: string, choice: string) => {
  const chosen = () => radio(page, provider, choice).isChecked();
  await eventually(chosen, (isChosen) => !isChosen, 10_000);
  const answer = page.waitForResponse((response) => response.url().endsWith(`/sandbox/${provider}`));
  await radio(page, provider, choice).check();
  await answer;
};

useChromium();

describe.skipIf(withoutChromium)(withoutChromium ?? 'the live page', () => {
  beforeAll(async () => {
    trio = await startProcesses(settings);
    url = trio.url('payment-service');
  });
  afterAll(() => trio[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const service of ['aldeamo-service', 'twilio-service'] as const)
      await call('POST', `${trio.url(service)}/sandbox`, { ...undisturbed, delivery_ms: null });
    await call('POST', `${url}/force-recovery`);
    expect(faults.splice(0)).toEqual([]);
  });

  test('given that Aldeamo breaks and recovers, shows the failover and the recovery', async () => {
    const page = await open(url);
    await waitForActiveProvider(page, 'Aldeamo sends');
    await card(page, 'Aldeamo').getByText('sandbox', { exact: true }).waitFor();
    expect(await headlineColors(page)).toEqual([green, green, green]);
    await page.getByRole('button', { name: 'Send a payment' }).click();
    const first = page.locator('#payments > li').first();
    await first.getByText('Aldeamo', { exact: true }).waitFor();
    await first.getByText('sent', { exact: true }).waitFor();

    await page.getByRole('button', { name: 'Ten a second' }).click();
    await choose(page, 'Aldeamo', 'Failing');
    await waitForActiveProvider(page, 'Twilio sends');
    await card(page, 'Aldeamo').getByText('circuit open').waitFor();
    await card(page, 'Aldeamo').getByText('next probe at').waitFor();
    await page.locator('#status', { hasText: 'degraded' }).waitFor();
    await card(page, 'Aldeamo')
      .getByText(/last check at .*: the background check failed/)
      .waitFor();
    expect(await page.locator('#current-provider-faults').textContent()).toMatch(
      /^Aldeamo: Its circuit is open since .* \(\d+ s ago\): .*failures in a row, the last: the sandbox is set to fail\. It is (checked again in \d s|being checked)\.$/,
    );
    expect(await card(page, 'Aldeamo').locator('.raw').textContent()).toMatch(/: sandbox_failure$/);
    await page.locator('#payments > li').first().getByText('Twilio', { exact: true }).waitFor();
    await page.locator('#payments > li:nth-child(20)').waitFor();
    await page.getByRole('button', { name: 'Ten a second' }).click();
    if (process.env.UPDATE_PICTURE === '1') await pictureOfReadme(page);
    expect(await isPlotted(page, 'Aldeamo')).toBe(true);
    expect(await isPlotted(page, 'Twilio')).toBe(true);

    const failedOver = page.locator('#payments > li[data-status="sent"]', { hasText: 'Twilio' }).first();
    await failedOver.locator('summary').click();
    expect(await failedOver.locator('.attempts li').allTextContents()).toEqual([
      expect.stringMatching(
        /Aldeamo: not sent · (not called: its circuit is open|the sandbox is set to fail)/,
      ),
      expect.stringMatching(/Twilio: accepted/),
    ]);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'circuit-open');

    await choose(page, 'Aldeamo', 'Normal');
    await waitForActiveProvider(page, 'Aldeamo sends');
    await card(page, 'Aldeamo').getByText('circuit closed').waitFor();
    await card(page, 'Aldeamo').getByText('last check at').waitFor({ state: 'hidden' });
    await page.locator('#status', { hasText: /^healthy$/ }).waitFor();
    expect(await page.locator('#announcement').textContent()).toContain('Aldeamo sends');
    await picture(page, 'recovered');
  });

  test('given a slow Aldeamo, shows a payment as pending, then as sent', async () => {
    const page = await open(url);
    await choose(page, 'Aldeamo', 'Slow');
    await page.getByRole('button', { name: 'Send a payment' }).click();
    await page.locator('#payments > li').first().getByText('pending').waitFor();
    await page.locator('#payments > li').first().getByText('sent', { exact: true }).waitFor();
    await choose(page, 'Aldeamo', 'Normal');
  });

  test('given payments that wait for a slow Aldeamo, its sandbox controls respond at once', async () => {
    const page = await open(url);
    await choose(page, 'Aldeamo', 'Slow');
    const answers: number[] = [];
    page.on('response', (response) => {
      if (response.request().method() === 'POST' && response.url().endsWith('/payments'))
        answers.push(response.status());
    });
    await page.getByRole('button', { name: 'Ten a second' }).click();
    await eventually(
      async () => answers.length,
      (count) => count >= 30,
      6000,
    );
    const pressedAt = performance.now();
    await choose(page, 'Aldeamo', 'Normal');
    expect(performance.now() - pressedAt).toBeLessThan(2000);
    await page.getByRole('button', { name: 'Ten a second' }).click();
    expect(new Set(answers)).toEqual(new Set([202]));
    expect(await page.locator('#error').textContent()).toBe('');
    await page.locator('#backlog', { hasText: /^0$/ }).waitFor();
    expect(await page.locator('#payments > li', { hasText: 'Twilio' }).count()).toBe(0);
  });

  test('given that Aldeamo accepts SMS and does not deliver them, shows that they arrive through Twilio', async () => {
    await call('POST', `${trio.url('twilio-service')}/sandbox`, { delivery_ms: 300 });
    const page = await open(url);
    await choose(page, 'Aldeamo', 'Not delivered');
    await pay(url, { customer_id: 'undelivered' });
    const row = page.locator('#payments > li', { hasText: 'undelivered' });
    await row.getByText('sent', { exact: true }).waitFor();
    await row.locator('summary').click();
    await row.locator('.status', { hasText: 'delivered' }).waitFor();
    expect(await row.locator('.provider-name').textContent()).toBe('Twilio');
    expect(await row.locator('.duplicate').isVisible()).toBe(true); // a handset that was off may still get the first
    const time = String.raw`\d+:\d\d:\d\d [AP]M`;
    expect(await row.locator('.attempts li').allInnerTexts()).toEqual([
      expect.stringMatching(
        `^${time} · Aldeamo: accepted · sandbox · \\d+ ms\n${time} · Aldeamo: not delivered · the sandbox is set not to deliver$`,
      ),
      expect.stringMatching(`^${time} · Twilio: accepted · sandbox · \\d+ ms\n${time} · Twilio: delivered$`),
    ]);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'undelivered-then-delivered');
    await page.getByRole('button', { name: 'Español' }).click();
    await row.getByText('delivered', { exact: true }).waitFor();
    await row.getByText(/Aldeamo: no entregado · el sandbox está configurado para no entregar$/).waitFor();
    await choose(page, 'Aldeamo', 'Entregado');
  });

  test.each([
    ['not_sent', 'failed', 'certainly not sent · the sandbox is set not to send what it accepted'],
    ['filtered', 'failed', 'filtered for its text or sender · the sandbox is set to filter texts'],
    ['refused', 'failed', 'refused by the recipient · the sandbox is set to have the recipient refuse'],
  ])('given SMS that are %s after they were accepted, shows the payment as %s, and why', async (end, status, text) => {
    for (const service of ['aldeamo-service', 'twilio-service'] as const)
      await call('POST', `${trio.url(service)}/sandbox`, { delivery_ms: 100, [`${end}_rate`]: 1 });
    const page = await open(url);
    await pay(url, { customer_id: end });
    const row = page.locator('#payments > li', { hasText: end });
    await row.locator('summary').click();
    await row.getByText(status, { exact: true }).waitFor();
    await row.locator(`.delivery[data-delivery="${end}"]`, { hasText: text }).first().waitFor();
    await row.locator('.why', { hasText: text.slice(text.indexOf('·') + 2) }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
  });

  test('can be used with the keyboard alone', async () => {
    const page = await open(url);
    await waitForActiveProvider(page, 'Aldeamo sends');
    await radio(page, 'Twilio', 'Normal').waitFor();
    const focused = () =>
      page.evaluate<string>('document.activeElement.value || document.activeElement.textContent.trim()');
    const tabTo = async (text: string) => {
      for (let step = 0; step < 40; step += 1) {
        await page.keyboard.press('Tab');
        if ((await focused()).startsWith(text)) return;
      }
      throw new Error(`${text} is not reached`);
    };
    await tabTo('Send a payment');
    await page.keyboard.press('Enter');
    await page.locator('#payments > li').first().getByText('sent', { exact: true }).waitFor();
    await tabTo('normal');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await eventually(
      async () =>
        (await call<{ failure_rate: number }>('GET', `${trio.url('aldeamo-service')}/sandbox`)).body,
      ({ failure_rate }) => failure_rate === 1,
      5000,
    );
    await card(page, 'Aldeamo').getByText('circuit').first().waitFor();
    expect(await focused()).toBe('failing'); // updates of the page leave the focus
    const summary = page.locator('#payments > li summary').first();
    await summary.focus();
    await page.keyboard.press('Enter');
    await page.locator('#payments > li[data-status] details[open]').waitFor();
  });

  test('given markup in a payment, shows it as text', async () => {
    const page = await open(url);
    const customer_id = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    await pay(url, { customer_id, message: '<b>Pago</b>' });
    await page.locator('.customer', { hasText: customer_id }).waitFor();
    expect(await page.locator('#payments img, #payments script, #payments b').count()).toBe(0);
  });

  test.each([
    'light',
    'dark',
  ] as const)('given the %s color scheme, has no serious violation of accessibility in either language', async (colorScheme) => {
    const page = await open(url, { colorScheme, locale: 'es-CO' });
    await waitForActiveProvider(page, 'Aldeamo envía los SMS');
    expect(await page.locator('html').getAttribute('lang')).toBe('es');
    await pay(url, { customer_id: 'idiomas' });
    await page.locator('#payments > li', { hasText: 'idiomas' }).first().locator('summary').click();
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, `${colorScheme}-es`);
    await page.getByRole('button', { name: 'English' }).click();
    await waitForActiveProvider(page, 'Aldeamo sends');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, `${colorScheme}-en`);
    await page.reload();
    await waitForActiveProvider(page, 'Aldeamo sends'); // the browser stores the choice
  });

  test('given the screen of a phone, fits its width', async () => {
    const page = await open(url, { viewport: { width: 360, height: 740 }, locale: 'es-CO', hasTouch: true });
    await waitForActiveProvider(page, 'Aldeamo envía');
    const customer_id = 'un-cliente-con-un-nombre-muy-largo-que-no-cabe-en-la-pantalla';
    await pay(url, { customer_id, amount: '90071992547409.91' }); // the greatest amount
    const row = page.locator('#payments > li', { hasText: 'nombre-muy-largo' }).first();
    await row.locator('summary').tap();
    const beyondTheRow = await page.evaluate<string[]>(`
      [...document.querySelectorAll('#payments > li')].flatMap((row) =>
        [...row.querySelectorAll('summary > *')]
          .filter((part) => part.getBoundingClientRect().right > row.getBoundingClientRect().right)
          .map((part) => part.textContent))`);
    expect(beyondTheRow).toEqual([]);
    const [wide, width] = await page.evaluate<number[]>(
      '[document.documentElement.scrollWidth, window.innerWidth]',
    );
    expect(wide).toBe(width);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'phone');
  });

  test('given a crash of the service, shows the lost connection, and resumes after the restart', async () => {
    const page = await open(url);
    await waitForActiveProvider(page, 'Aldeamo sends');
    await trio.kill('payment-service');
    await page.getByText('connection lost').waitFor();
    await page.getByText(/^No connection: last seen [1-9]\d* s ago$/).waitFor();
    expect(await page.getByRole('button', { name: 'Send a payment' }).isDisabled()).toBe(true);
    expect(await radio(page, 'Aldeamo', 'Failing').isDisabled()).toBe(true);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'killed');
    await trio.start('payment-service');
    await page.locator('#connection[data-connection="connected"]').waitFor();
    await waitForActiveProvider(page, 'Aldeamo sends');
    await page.getByRole('button', { name: 'Send a payment' }).click(); // it is on again
    await pay(url, { customer_id: 'after-the-crash' });
    await page.locator('.customer', { hasText: 'after-the-crash' }).waitFor();
  });
});

describe.skipIf(withoutChromium)('a page of another site', () => {
  /** What it gets: `reads` is a text or an error, `pays` whether the service has a payment of it, `changes` the statuses of all recoveries so far. */
  async function attack(page: Page, target: string) {
    const reads = await page.evaluate<string>(
      `fetch('${target}/payments').then((response) => response.text(), (error) => String(error))`,
    );
    await page.evaluate(`Promise.all([
      fetch('${target}/payments', { method: 'POST', mode: 'no-cors', body: '{"amount":1,"customer_id":"attacker"}' }),
      fetch('${target}/force-recovery', { method: 'POST', mode: 'no-cors' }),
      fetch('${target}/payments', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"amount":1,"customer_id":"attacker"}',
      }),
    ].map((sent) => sent.catch(() => {})))`);
    const { body } = await call<{ data: unknown[] }>('GET', `${url}/payments?customer_id=attacker`);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const changes = /_count\{method="POST",route="\/force-recovery",status_code="(\d+)"/g;
    return {
      reads,
      pays: body.data.length > 0,
      changes: [...metrics.matchAll(changes)].map(([, status]) => Number(status)),
    };
  }
  let page: Page;
  let foreign: Server;
  /** Whether the foreign name leads to the service now: what the foreign server gets, it passes on as it is. */
  let isRebound = false;

  beforeAll(async () => {
    trio = await startProcesses(settings);
    url = trio.url('payment-service');
    foreign = createServer((incoming, response) => {
      if (!isRebound)
        return response.setHeader('content-type', 'text/html').end('<!doctype html><title>foreign</title>');
      const { method, url: path, headers } = incoming;
      const forwarded = request(`${url}${path}`, { method, headers, setHost: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      return incoming.pipe(forwarded);
    }).listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    page = await (await browser.newContext()).newPage();
  });
  afterAll(async () => {
    await page.context().close();
    foreign.close();
    await trio[Symbol.asyncDispose]();
  });

  test('at another port of localhost, or at another name, neither reads nor pays', async () => {
    const { port } = foreign.address() as AddressInfo;
    const { port: ours } = new URL(url);
    for (const [target, from] of [
      [url, `http://127.0.0.1:${port}`],
      [`http://localhost:${ours}`, `http://localhost:${port}`],
      [url, `http://evil.example:${port}`],
    ] as const) {
      await page.goto(from);
      const gets = await attack(page, target);
      expect(gets, from).toEqual({ reads: 'TypeError: Failed to fetch', pays: false, changes: [403] });
    }
  });

  test('whose name is rebound to this machine, neither reads nor pays', async () => {
    const { port } = foreign.address() as AddressInfo;
    const rebound = `http://evil.example:${port}`;
    await page.goto(rebound);
    isRebound = true;
    const { reads, pays, changes } = await attack(page, rebound);
    expect(JSON.parse(reads)).toMatchObject({ type: '/problems/misdirected-request' });
    expect([pays, changes]).toEqual([false, [403, 421]]);
  });

  test.each([
    'localhost',
    'payment-service',
    'shop.localhost',
  ])('that is our own at %s pays', async (name) => {
    const own = await open(`http://${name}:${new URL(url).port}`);
    await waitForActiveProvider(own, 'Aldeamo sends');
    await own.getByRole('button', { name: 'Send a payment' }).click();
    await own.locator('#payments > li').first().getByText('sent', { exact: true }).waitFor();
    await choose(own, 'Aldeamo', 'Slow');
    await choose(own, 'Aldeamo', 'Normal');
    await own.context().close();
    // Chromium logs that over plain HTTP it does not isolate the page at a name that is not localhost.
    expect(faults.splice(0).filter((fault) => !fault.includes('Cross-Origin-Opener-Policy'))).toEqual([]);
  });
});

describe.skipIf(withoutChromium)('the live page with keys', () => {
  const keys = { client: 'key-of-the-shop-1', admin: 'key-of-the-admin-1', service: 'token-of-the-services' };

  test('asks for a key, and refuses the sandbox controls without the admin key', async () => {
    await using locked = await startProcesses({
      ...settings,
      API_KEYS: `shop:${keys.client}`,
      ADMIN_API_KEY: keys.admin,
      SERVICE_TOKEN: keys.service,
    });
    const page = await open(locked.url('payment-service'));
    const use = async (key: string) => {
      await page.getByLabel('This service requires a key').fill(key);
      await page.getByRole('button', { name: 'Use this key' }).click();
    };
    await page.getByLabel('This service requires a key').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'key');
    await use('an-unknown-key');
    await page.getByText('The key is unknown.').waitFor();
    await use(keys.client);
    await waitForActiveProvider(page, 'Aldeamo sends');
    await choose(page, 'Aldeamo', 'Failing');
    await page.getByText('This action requires the admin key.').waitFor();
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });

  test('given isolated clients, is for admins alone', async () => {
    await using locked = await startProcesses({
      ...settings,
      API_KEYS: `shop:${keys.client}`,
      ADMIN_API_KEY: keys.admin,
      SERVICE_TOKEN: keys.service,
      CLIENTS_ISOLATED: 'true',
    });
    const page = await open(locked.url('payment-service'));
    const use = async (key: string) => {
      await page.getByLabel('This service requires a key').fill(key);
      await page.getByRole('button', { name: 'Use this key' }).click();
    };
    await use(keys.client);
    await page.getByText('The key does not allow this page. Use an admin key.').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await use(keys.admin);
    await waitForActiveProvider(page, 'Aldeamo sends');
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });
});

describe.skipIf(withoutChromium)('the live page with a live Aldeamo', () => {
  test('shows no sandbox controls of Aldeamo and no button to pay', async () => {
    await using aldeamo = await startAldeamoUpstream();
    await using live = await startProcesses({
      ...settings,
      ...aldeamoSettings(aldeamo),
    });
    const page = await open(live.url('payment-service'));
    await radio(page, 'Twilio', 'Failing').waitFor(); // the page has received the sandbox controls
    expect(await card(page, 'Aldeamo').getByRole('button').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Send a payment' }).count()).toBe(0);
    await card(page, 'Aldeamo').getByText('live', { exact: true }).waitFor();
    await card(page, 'Twilio').getByText('sandbox', { exact: true }).waitFor();
    await headlineFaults(page, 'Aldeamo is live and Twilio a sandbox, which sends nothing').waitFor();
    await card(page, 'Aldeamo').getByText('Without delivery receipts').waitFor();
    expect(await card(page, 'Twilio').getByText('Without delivery receipts').isVisible()).toBe(false);
    expect(await headlineColors(page)).not.toContain(green);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'mixed-modes');
    await page.getByRole('button', { name: 'Español' }).click();
    await headlineFaults(page, 'Aldeamo está en vivo y Twilio es un sandbox').waitFor();
    const { status } = await call('POST', `${live.url('payment-service')}/sandbox/Aldeamo`, {
      failure_rate: 1,
    });
    expect(status).toBe(404);
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });

  test('given a package that is used up, shows why Aldeamo is not asked, in both languages', async () => {
    await using aldeamo = await startAldeamoUpstream();
    await using live = await startProcesses({
      ...settings,
      ...aldeamoSettings(aldeamo),
    });
    aldeamo.packages = [];
    const page = await open(live.url('payment-service'));
    await pay(live.url('payment-service'), { customer_id: 'any', phone: '+573001234567' });
    await card(page, 'Aldeamo').getByText('the account is refused: no SMS are left in the account').waitFor();
    await page.getByRole('button', { name: 'Español' }).click();
    await card(page, 'Aldeamo')
      .getByText('el proveedor rechaza la cuenta: a la cuenta no le quedan SMS')
      .waitFor();
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });
});

describe.skipIf(withoutChromium)('the live page with accounts', () => {
  test('that are refused, shows since when and why, in a headline that is not green', async () => {
    await using aldeamo = await startAldeamoUpstream();
    await using twilio = await startTwilioUpstream();
    await using live = await startProcesses({
      ...settings,
      CIRCUIT_RESET_TIMEOUT_MS: '60000',
      ...liveSettings(aldeamo, twilio),
      ALDEAMO_PASSWORD: 'wrong',
      TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
    });
    const page = await open(live.url('payment-service'));
    for (const provider of ['Aldeamo', 'Twilio']) {
      await card(page, provider).getByText('live', { exact: true }).waitFor();
      await card(page, provider)
        .getByText(/^The account is refused since .+: the credentials were refused\.$/)
        .waitFor();
      await card(page, provider).getByText('circuit open').waitFor();
      await card(page, provider).getByText('the account is refused: the credentials were refused').waitFor();
    }
    expect(await headlineColors(page)).not.toContain(green);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'account-refused');
    await page.getByRole('button', { name: 'Español' }).click();
    await card(page, 'Twilio')
      .getByText(/^La cuenta es rechazada desde .+: las credenciales fueron rechazadas\.$/)
      .waitFor();
    await card(page, 'Twilio').getByText('el proveedor rechaza la cuenta: las credenciales').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });
});

describe.skipIf(withoutChromium)('the live page with replicas', () => {
  test("shows all replicas' payments, each replica's circuit by its name, and that the database is gone for a while", {
    timeout: 120_000,
  }, async () => {
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    await using replicas = await startProcesses(
      { ...settings, CIRCUIT_RESET_TIMEOUT_MS: '60000', DATABASE_URL: url, SENDS_DATABASE_URL: url },
      { replicas: { 'payment-service': 3 } },
    );
    const page = await open(replicas.url('payment-service'));
    const circuits = card(page, 'Aldeamo').getByRole('list', { name: 'Its circuit in each replica' });
    await circuits.getByRole('listitem').nth(2).waitFor();
    await call('POST', `${replicas.url('aldeamo-service')}/sandbox`, { failure_rate: 1 });
    for (let failure = 0; failure < 3; failure += 1)
      await pay(replicas.url('payment-service-3'), { customer_id: 'of-the-third' });
    await circuits.getByText('circuit open').waitFor();
    expect(
      (await circuits.getByRole('listitem').allInnerTexts()).map((text) => text.split(/\s*\n\s*/)),
    ).toEqual([
      ['payment-service', 'circuit closed'],
      ['payment-service-2', 'circuit closed'],
      ['payment-service-3', 'circuit open'],
    ]);
    await page.getByText('of-the-third').nth(2).waitFor();
    await waitForActiveProvider(page, 'Aldeamo sends'); // as the circuit of the replica that serves the page is closed
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'replicas');

    await postgres.stop();
    await waitForActiveProvider(page, 'Payments are refused: the database cannot be reached');
    await page.locator('#payments-stale', { hasText: /^As of / }).waitFor();
    expect(await headlineColors(page)).not.toContain(green);
    await postgres.start();
    await waitForActiveProvider(page, 'Aldeamo sends');
    await page.locator('#payments-stale').waitFor({ state: 'hidden' });
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });
});

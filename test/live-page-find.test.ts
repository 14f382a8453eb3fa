import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import {
  browser,
  faults,
  open,
  picture,
  seriousViolations,
  useChromium,
  withoutChromium,
} from './chromium.ts';
import { eventually as eventuallyWithin } from './eventually.ts';
import { call, pay } from './http.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The search, the list and the payment of the live page. Their pictures are in test/output/. */

const settings = { ALDEAMO_LATENCY_MS: '0', TWILIO_LATENCY_MS: '0', PROVIDER_TIMEOUT_MS: '3000' };
const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const rows = (page: Page) => page.locator('.found-table tbody tr');
const customersOf = async (page: Page) => page.locator('.found-customer').allTextContents();
const eventually = <Value>(read: () => Promise<Value>, isDone: (value: Value) => boolean) =>
  eventuallyWithin(read, isDone, 10_000);
const pathOf = (page: Page) => page.url().slice(new URL(page.url()).origin.length);
const isFocused = (page: Page, selector: string) =>
  page.evaluate<boolean>(`document.activeElement === document.querySelector(${JSON.stringify(selector)})`);

async function find(page: Page, text: string): Promise<void> {
  await page.getByLabel('Payment, reference or customer').fill(text);
  await page.keyboard.press('Enter');
}

async function paid(url: string, body: Record<string, unknown>): Promise<PaymentView> {
  const answer = await pay(url, body);
  expect(answer.status).toBe(201);
  return answer.body;
}

async function expectNoOverflow(page: Page): Promise<void> {
  const [wide, width] = await page.evaluate<number[]>(
    '[document.documentElement.scrollWidth, window.innerWidth]',
  );
  expect(wide).toBe(width);
}

useChromium();

describe.skipIf(withoutChromium)(withoutChromium ?? 'the live page finds payments', () => {
  let trio: Trio;
  let url: string;

  beforeAll(async () => {
    trio = await startProcesses(settings);
    url = trio.url('payment-service');
  });
  afterAll(() => trio[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 0, slow_rate: 0 });
    expect(faults.splice(0)).toEqual([]);
  });

  test('given an id, a reference or a customer, shows the payment or the payments, and says which they are', async () => {
    const first = await paid(url, { customer_id: 'maria', reference: 'order-77' });
    await paid(url, { customer_id: 'order-77', reference: 'another' });
    const page = await open(url);
    await find(page, ` ${first.payment_id} `);
    await heading(page, 'Payment').waitFor();
    expect(pathOf(page)).toBe(`/live?payment=${first.payment_id}`);
    await page.locator('#payment-view .facts').getByText('maria').first().waitFor();
    await find(page, 'order-77');
    await page.getByRole('heading', { name: 'With the reference “order-77”' }).waitFor();
    await page.getByRole('heading', { name: 'Of the customer “order-77”' }).waitFor();
    expect(await customersOf(page)).toEqual(['maria', 'order-77']);
    await eventually(() => isFocused(page, '#found-title'), Boolean);
    await paid(url, { customer_id: 'later', reference: 'order-77' });
    const steps = await page.evaluate<number>('history.length');
    await page.getByRole('link', { name: 'Refresh' }).click();
    await rows(page).nth(2).waitFor();
    expect(await page.evaluate('history.length')).toBe(steps);
    await find(page, 'maria');
    await page.getByRole('heading', { name: 'Of the customer “maria”' }).waitFor();
    expect(await rows(page).count()).toBe(1);
    await find(page, 'unknown');
    await page.getByText('No payment has “unknown” as its reference or its customer.').waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Of the customer “maria”' }).waitFor();
    await page.goForward();
    await page.getByText('No payment has “unknown”').waitFor();
  });

  test('given filters, has them in the URL, so that a reload and a copied link show the same', async () => {
    await paid(url, { customer_id: 'filtered' });
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 1 });
    await paid(url, { customer_id: 'filtered' });
    const page = await open(`${url}/live`);
    await page.getByLabel('Payment, reference or customer').fill('filtered');
    await page.getByText('Filters').click();
    await page.getByLabel('sent', { exact: true }).check();
    await page.getByLabel('failed', { exact: true }).check();
    await page.getByLabel('Provider').selectOption('Twilio');
    await page.getByLabel(/^Created from/).fill('2020-01-31T12:30');
    await page.getByRole('button', { name: 'Find' }).first().click();
    await rows(page).first().waitFor();
    const shown = new URL(page.url()).searchParams;
    expect([...shown.entries()].filter(([name]) => name !== 'created_after')).toEqual([
      ['q', 'filtered'],
      ['notification_status', 'sent'],
      ['notification_status', 'failed'],
      ['notification_service', 'Twilio'],
    ]);
    expect(shown.get('created_after')).toMatch(/^2020-01-31T\d\d:30:00\.000Z$/);
    expect(await rows(page).count()).toBe(1);
    const copied = await open(page.url());
    await rows(copied).first().waitFor();
    await page.reload();
    for (const each of [page, copied]) {
      await each.getByText(/^Filters: sent, failed, Twilio, from Jan 31, 2020/).click();
      expect(await each.getByLabel('failed', { exact: true }).isChecked()).toBe(true);
      expect(await each.getByLabel('Provider').inputValue()).toBe('Twilio');
      expect(await each.getByLabel(/^Created from/).inputValue()).toBe('2020-01-31T12:30');
    }
    await page.getByRole('link', { name: 'Clear' }).click();
    await page.locator('#view').waitFor();
    expect(pathOf(page)).toBe('/live');
    expect(await page.getByLabel('failed', { exact: true }).isChecked()).toBe(false);
  });

  test('given a filter that needs another, shows the words of the API at its field', async () => {
    const page = await open(`${url}/live?notification_service=Aldeamo&created_before=yesterday`);
    const field = page.getByLabel('Provider');
    await page.getByText('must be a time such as').waitFor();
    await page.goto(`${url}/live?notification_service=Aldeamo`);
    await page.getByText('must come with a range of at most 31 days').waitFor();
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await isFocused(page, '#notification_service')).toBe(true);
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'find-invalid');
    await page.getByLabel(/^Created from/).fill(`${new Date().toISOString().slice(0, 10)}T00:00`);
    await page.keyboard.press('Enter');
    await page.locator('#found-time', { hasText: 'As of' }).waitFor();
    expect(await field.getAttribute('aria-invalid')).toBeNull();
  });

  test('given a phone in the search, refuses it, because a URL must not have one', async () => {
    const page = await open(`${url}/live`);
    await find(page, '+57 300 123 4567');
    await page.getByText('No payment is found by its phone').waitFor();
    expect(pathOf(page)).toBe('/live');
  });

  test('given more payments than a page has, requests the page at hand alone, older and newer', async () => {
    for (let made = 0; made < 60; made += 10)
      await Promise.all(Array.from({ length: 10 }, () => paid(url, { customer_id: 'often' })));
    const page = await open(`${url}/live?customer_id=often`);
    const requests: URL[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/payments')) requests.push(new URL(request.url()));
    });
    await rows(page).nth(24).waitFor();
    const ids = async () => page.locator('.found-created a').evaluateAll((links) => links.map(String));
    const first = await ids();
    await page.getByRole('link', { name: 'Older' }).click();
    await page.waitForURL(/starting_after/);
    await eventually(ids, (shown) => shown[0] !== first[0]);
    const second = await ids();
    await page.getByRole('link', { name: 'Older' }).click();
    await eventually(ids, (shown) => shown.length === 10);
    expect(await page.getByRole('link', { name: 'Older' }).count()).toBe(0);
    expect(new Set([...first, ...second, ...(await ids())]).size).toBe(60);
    await page.getByRole('link', { name: 'Newer', exact: true }).click();
    await eventually(ids, (shown) => shown.join() === second.join());
    await page.getByRole('link', { name: 'Newer', exact: true }).click();
    await eventually(ids, (shown) => shown.join() === first.join());
    expect(pathOf(page)).toBe('/live?customer_id=often'); // not the page that ends before a cursor
    expect(requests.every(({ searchParams }) => searchParams.get('limit') === '25')).toBe(true);
    await page.goto(`${url}/live?customer_id=often&starting_after=pmt_gone`);
    await page.getByText('This page of the list does not exist.').waitFor();
    await page.locator('#found-parts').getByRole('link', { name: 'Newest' }).click();
    await rows(page).nth(24).waitFor();
  });

  test('given a slow answer to an earlier search, never shows it', async () => {
    await paid(url, { customer_id: 'slow' });
    await paid(url, { customer_id: 'fast' });
    const page = await open(`${url}/live`);
    let isAnswered = false;
    await page.route('**/payments?*customer_id=slow*', async (route) => {
      const response = await route.fetch();
      await new Promise((resolve) => setTimeout(resolve, 700));
      await route.fulfill({ response }).catch(() => {}); // aborted by the page
      isAnswered = true;
    });
    await find(page, 'slow');
    await find(page, 'fast');
    await rows(page).first().waitFor();
    await eventually(async () => isAnswered, Boolean);
    expect(await customersOf(page)).toEqual(['fast']);
  });

  test('given a payment that was sent through the fallback, shows everything that is known of it', async () => {
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 1 });
    const { payment_id } = await paid(url, {
      amount: '1234567.89',
      customer_id: 'entera',
      reference: 'order-1042',
      metadata: { shop: 'Chapinero', amount: '<b>7</b>' },
      phone: '+573001234567',
    });
    const page = await open(`${url}/live?payment=${payment_id}`, {
      permissions: ['clipboard-read', 'clipboard-write'],
      timezoneId: 'America/Bogota',
    });
    const payment = page.locator('#payment-view');
    await payment.getByText('COP 1,234,567.89').waitFor();
    for (const text of ['entera', 'order-1042', 'Chapinero', '<b>7</b>'])
      await payment.getByText(text, { exact: true }).waitFor();
    await payment.locator('[data-status="sent"] .status', { hasText: /^sent$/ }).waitFor();
    await payment
      .getByText('A provider has accepted the SMS. No receipt says that it was delivered.')
      .waitFor();
    const attempts = await payment.locator('.payment-list > li').allInnerTexts();
    expect(attempts).toEqual([
      expect.stringMatching(/^Aldeamo: not sent · the sandbox is set to fail sandbox_failure/),
      expect.stringMatching(/^Twilio: accepted/),
    ]);
    for (const attempt of attempts)
      expect(attempt).toMatch(/GMT-5[\s\S]*\d+ ms[\s\S]*ends in 4567[\s\S]*sandbox/);
    await payment.getByText('No receipt has come.').waitFor();
    expect(await payment.textContent()).not.toContain('3001234567');
    await payment.getByRole('button', { name: 'Copy payment id' }).click();
    await payment.getByText('Copied').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(payment_id);
    expect(await page.getByRole('link', { name: 'Documentation of the API' }).getAttribute('href')).toBe(
      '/docs/',
    );
    await payment.getByRole('link', { name: 'order-1042' }).click();
    await rows(page).first().waitFor();
    expect(pathOf(page)).toBe('/live?reference=order-1042');
  });

  test('given a payment whose attempt runs, shows the outcome as soon as it is known', async () => {
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { slow_rate: 1, slow_ms: 2000 });
    const made = await call<PaymentView>(
      'POST',
      `${url}/payments`,
      { amount: 1, customer_id: 'waits' },
      { prefer: 'respond-async' },
    );
    const page = await open(`${url}/live?payment=${made.body.payment_id}`);
    await page.locator('#payment-view [data-status="pending"]').waitFor();
    await page.locator('#payment-view').getByText('called, no response yet').waitFor();
    await page.getByRole('button', { name: 'Copy payment id' }).focus();
    await page.locator('#payment-view [data-status="sent"]').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Copy'); // an update leaves the focus
  });

  test('given an unknown id, says so, and links to what it means', async () => {
    const page = await open(`${url}/live?payment=pmt_unknown`);
    await page.getByText('There is no payment with this id.').waitFor();
    await page.getByRole('link', { name: 'What this means' }).click();
    await page.waitForURL('**/problems/payment-not-found');
  });

  test('given a payment that cannot be read, says so, and while the store is unavailable, tries again', async () => {
    const { payment_id } = await paid(url, { customer_id: 'damaged' });
    const page = await open(`${url}/live`);
    const answer = (status: number, name: string) =>
      page.route(`**/payments/${payment_id}`, (route) =>
        route.fulfill({
          status,
          contentType: 'application/problem+json',
          body: JSON.stringify({ type: `/problems/${name}`, status, detail: 'The detail of the API.' }),
        }),
      );
    await answer(503, 'store-unavailable');
    await find(page, payment_id);
    await page.getByText('The detail of the API.').waitFor();
    await answer(500, 'payment-unreadable');
    await page.getByText('The record of this payment is damaged and cannot be read.').waitFor();
    expect(await page.locator('#payment-error a').getAttribute('href')).toBe('/problems/payment-unreadable');
  });

  test('given what operators have done about a payment, shows when, who, what and why', async () => {
    const { payment_id } = await paid(url, { customer_id: 'acted' });
    const page = await open(`${url}/live`);
    const action = {
      at: '2026-01-31T17:00:00.000Z',
      action: 'resend',
      provider: 'Twilio',
      reason: '<i>asked</i>',
    };
    const actions = [
      { ...action, by: 'maria' },
      { ...action, by: null, action: 'cancel', provider: null, reason: null },
    ];
    await page.route(`**/payments/${payment_id}`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), actions } });
    });
    await find(page, payment_id);
    const done = page.locator('.payment-part', { hasText: 'Actions of operators' }).locator('li');
    await done.nth(1).waitFor();
    expect(await done.allInnerTexts()).toEqual([
      expect.stringMatching(/^resend · Twilio · by maria · Jan 31, 2026, .* · <i>asked<\/i>$/),
      expect.stringMatching(/^cancel · without a key · Jan 31, 2026, .* ago$/),
    ]);
    await page.getByRole('button', { name: 'Español' }).click();
    await page.getByText('reenvío · Twilio · por maria').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'find-actions');
  });

  test('can be used with the keyboard alone: the focus goes to the heading of a view, and back to the row', async () => {
    await paid(url, { customer_id: 'keys', reference: 'first' });
    await paid(url, { customer_id: 'keys', reference: 'second' });
    const page = await open(`${url}/live`);
    await page.getByLabel('Payment, reference or customer').focus();
    await page.keyboard.type('keys');
    await page.keyboard.press('Enter');
    await rows(page).nth(1).waitFor();
    await eventually(() => isFocused(page, '#found-title'), Boolean);
    const href = () => page.evaluate<string>('document.activeElement.getAttribute("href")');
    for (let row = 0; row < 2; row += 1)
      do await page.keyboard.press('Tab');
      while (!(await href())?.includes('payment='));
    const second = await href();
    await page.keyboard.press('Enter');
    await page.locator('#payment-view .facts').first().waitFor();
    expect(await isFocused(page, '#payment-title')).toBe(true);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Back to the list');
    await page.keyboard.press('Enter');
    await eventually(href, (at) => at === second);
    await page.keyboard.press('Enter');
    await page.locator('#payment-view .facts').first().waitFor();
    await page.goBack();
    await eventually(href, (at) => at === second);
  });

  test.each(
    (['light', 'dark'] as const).flatMap((colorScheme) =>
      (['desktop', 'phone'] as const).flatMap((screen) =>
        (['en-US', 'es-CO'] as const).map((locale) => [colorScheme, screen, locale] as const),
      ),
    ),
  )('given %s colors on a %s in %s, each view is accessible and fits', async (colorScheme, screen, locale) => {
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 1 });
    await paid(url, {
      customer_id: 'la-clienta-con-un-nombre-muy-largo-que-no-cabe-en-la-pantalla-de-un-telefono',
      reference: 'vista',
      amount: '90071992547409.91', // the greatest
      metadata: { tienda: 'Chapinero' },
    });
    await pay(url, { customer_id: 'corta', reference: 'vista', amount: 1 });
    const viewport = screen === 'phone' ? { width: 360, height: 740 } : { width: 1100, height: 1000 };
    const page = await open(`${url}/live?reference=vista`, { colorScheme, locale, viewport });
    await rows(page).nth(1).waitFor();
    const name = `find-${colorScheme}-${screen}-${locale.slice(0, 2)}`;
    const check = async (view: string) => {
      expect(await seriousViolations(page)).toEqual([]);
      await expectNoOverflow(page);
      await picture(page, `${name}-${view}`);
    };
    await check('list');
    const { height } = viewport;
    const top = await rows(page)
      .first()
      .evaluate((row) => row.getBoundingClientRect().top);
    expect(top).toBeLessThan(2 * height);
    const overlapping = await page.evaluate<string[]>(`
      [...document.querySelectorAll('.found-table tbody tr')].flatMap((row) => {
        const ends = (selector) => {
          const range = document.createRange();
          range.selectNodeContents(row.querySelector(selector));
          return range.getBoundingClientRect();
        };
        const [amount, customer] = [ends('.amount'), ends('.found-customer')];
        const isBeside = amount.top < customer.bottom && customer.top < amount.bottom;
        return isBeside && amount.right > customer.left && customer.right > amount.left ? [row.textContent] : [];
      })`);
    expect(overlapping).toEqual([]);
    await rows(page).last().locator('a').click();
    await page.locator('#payment-view .facts').first().waitFor();
    await check('payment');
    await page.goto(`${url}/live`);
    await page.locator('#view').waitFor();
    await page.locator('#filters summary').click();
    await check('overview');
  });
});

describe.skipIf(withoutChromium)('the live page finds payments with keys', () => {
  const keys = { client: 'key-of-the-shop-1', admin: 'key-of-the-admin-1', service: 'token-of-the-services' };

  test('asks for a key, then shows the payment of its URL; without the service it says what it shows', async () => {
    await using locked = await startProcesses({
      ...settings,
      API_KEYS: `shop:${keys.client}`,
      ADMIN_API_KEY: keys.admin,
      SERVICE_TOKEN: keys.service,
      CLIENTS_ISOLATED: 'true',
    });
    const service = locked.url('payment-service');
    const { body } = await call<PaymentView>(
      'POST',
      `${service}/payments`,
      { amount: 100, customer_id: 'mine' },
      { authorization: `Bearer ${keys.client}` },
    );
    const page = await open(`${service}/live?payment=${body.payment_id}`);
    const use = async (key: string) => {
      await page.getByLabel('This service requires a key').fill(key);
      await page.getByRole('button', { name: 'Use this key' }).click();
    };
    await page.getByLabel('This service requires a key').waitFor();
    expect(await page.locator('#find').isVisible()).toBe(false);
    await use('an-unknown-key');
    await page.getByText('The key is unknown.').waitFor();
    await use(keys.client);
    await page.getByText('The key does not allow this page. Use an admin key.').waitFor();
    await use(keys.admin);
    await page.locator('#payment-view').getByText('mine', { exact: true }).waitFor();
    await page.locator('#payment-view').getByRole('link', { name: 'shop' }).waitFor(); // the client
    await locked.kill('payment-service');
    await page.getByText(/The service cannot be reached\. What is shown is as of \d/).waitFor();
    await locked.start('payment-service');
    await page.locator('#payment-error:empty').waitFor({ state: 'attached' });
    await page.context().close();
    expect(faults.splice(0)).toEqual([]);
  });
});

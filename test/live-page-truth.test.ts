import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Snapshot } from '../payment-service/src/live/snapshot.ts';
import {
  browser,
  card,
  faults,
  open,
  picture,
  seriousViolations,
  useChromium,
  waitForActiveProvider as waitForHeadline,
  withoutChromium,
} from './chromium.ts';
import { pay } from './http.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The live page with snapshots of bad days, which the test gives it in place of those of the service. */

useChromium();

type Hold = { since: string; until: string | null; by: string | null; reason: string };
type Shown = Snapshot & { holds?: Record<'Aldeamo' | 'Twilio', Hold | null> };

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const ahead = (seconds: number) => ago(-seconds);

/** Gives the page what `window.snapshots` gets in place of the stream of the service. */
const ownStream = `{
  const ofTheBrowser = window.fetch;
  let stream, isDown = false;
  window.snapshots = {
    isOpen: () => stream !== undefined,
    push: (text) => stream.enqueue(new TextEncoder().encode('data: ' + text + '\\n\\n')),
    fail: () => { isDown = true; stream.error(new TypeError('lost')); stream = undefined; },
    recover: () => { isDown = false; },
  };
  window.fetch = (path, init) => {
    if (path !== '/live/events') return ofTheBrowser(path, init);
    if (isDown) return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve(new Response(new ReadableStream({ start: (controller) => { stream = controller; } })));
  };
}`;

const push = async (page: Page, snapshot: Shown) => {
  // Not waitForFunction, which the content security policy of the page forbids.
  await expect.poll(() => page.evaluate('window.snapshots.isOpen()'), { timeout: 10_000 }).toBe(true);
  await page.evaluate(`window.snapshots.push(${JSON.stringify(JSON.stringify(snapshot))})`);
};
const conditions = (page: Page) => page.locator('#current-provider-faults li').allTextContents();
const chooseLanguage = (page: Page, name: string) => page.getByRole('button', { name }).click();

/** The elements of the page that are green in any way. */
const greens = (page: Page) =>
  page.evaluate<string[]>(`{
    const isGreen = (color) => {
      const [r, g, b, a = 1] = (color.match(/[\\d.]+/g) ?? []).map(Number);
      return a > 0 && g > r + 15 && g > b + 15;
    };
    const names = ['color', 'backgroundColor', 'borderLeftColor', 'fill', 'stroke'];
    [...document.querySelectorAll('body *')]
      .filter((element) => element.checkVisibility())
      .filter((element) => names.some((name) => isGreen(getComputedStyle(element)[name])))
      .map((element) => element.id || element.className?.baseVal || element.className);
  }`);

let trio: Trio;
/** What the service streams on a good day, with a payment that Aldeamo has accepted. */
let good: Snapshot;

describe.skipIf(withoutChromium)(withoutChromium ?? 'the live page', () => {
  beforeAll(async () => {
    trio = await startProcesses({ ALDEAMO_LATENCY_MS: '20', TWILIO_LATENCY_MS: '20' });
    await pay(trio.url('payment-service'), { customer_id: 'ana' });
    for await (const chunk of (await fetch(`${trio.url('payment-service')}/live/events`)).body ?? []) {
      const [event = ''] = new TextDecoder().decode(chunk).split('\n\n');
      good = JSON.parse(event.slice('data: '.length));
      if (good.levers.Aldeamo && good.circuits.Aldeamo.mode && good.circuits.Twilio.mode) break;
    }
  });
  afterAll(() => trio[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    expect(faults.splice(0)).toEqual([]);
  });

  const now = (changes: Partial<Shown> = {}): Shown => ({
    ...good,
    at: new Date().toISOString(),
    ...changes,
  });
  type Circuit = Snapshot['circuits']['Aldeamo'];
  const circuits = (aldeamo: Partial<Circuit>, twilio: Partial<Circuit> = {}) => ({
    Aldeamo: { ...good.circuits.Aldeamo, ...aldeamo },
    Twilio: { ...good.circuits.Twilio, ...twilio },
  });
  const bucket = (secondsAgo: number, accepted: number, failed: number) => ({
    from: new Date(Math.floor((Date.now() - secondsAgo * 1000) / 5000) * 5000).toISOString(),
    attempts: accepted + failed,
    accepted,
    failed,
    mean_ms: 120,
    max_ms: 300,
  });
  const isOpen = (seconds: number, cause: string): Partial<Circuit> => ({
    state: 'open',
    since: ago(seconds),
    reason: `3 failures in a row, the last: ${cause}`,
    next_probe_at: ahead(9),
  });
  /** A page whose stream the test feeds. */
  async function openWith(snapshot: Shown, options: Parameters<typeof open>[1] = {}): Promise<Page> {
    const page = await open('about:blank', options);
    await page.addInitScript(ownStream);
    await page.goto(trio.url('payment-service'));
    await push(page, snapshot);
    return page;
  }

  test('given a store that takes no payment, has that as its headline, with the cause', async () => {
    const page = await openWith(now());
    await page.locator('.customer', { hasText: 'ana' }).waitFor();
    await push(
      page,
      now({ status: 'unhealthy', store_fault: 'disk_full', payments: null, backlog: null, held: null }),
    );
    await waitForHeadline(page, 'Payments are refused: the disk of the database is full');
    await page.getByText(/^As of .* \(\d+ s ago\)\.$/).waitFor();
    expect(await page.locator('#backlog').textContent()).toBe('–');
    expect(await page.locator('#status').textContent()).toBe('unhealthy');
    expect(await page.locator('#current-provider').getAttribute('data-severity')).toBe('bad');
    expect(await page.locator('#announcement').textContent()).toContain('Payments are refused');
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'store-down');
    await chooseLanguage(page, 'Español');
    await waitForHeadline(page, 'Se rechazan los pagos: el disco de la base de datos está lleno');
    expect(await seriousViolations(page)).toEqual([]);
    await push(page, now());
    await waitForHeadline(page, 'Aldeamo envía los SMS');
    await page.locator('#payments-stale').waitFor({ state: 'hidden' });
  });

  test('given a store that can be read and not written, still says that payments are refused', async () => {
    const page = await openWith(now({ status: 'unhealthy', store_fault: 'read_only' }));
    await waitForHeadline(page, 'Payments are refused: the database is read-only');
    await page.locator('.customer', { hasText: 'ana' }).waitFor();
    expect(await page.locator('#payments-stale').isVisible()).toBe(false);
  });

  test('given both circuits open, says of each why and since when, in words and as it is reported, and the last minute beside the five', async () => {
    const recent = {
      Aldeamo: [bucket(200, 981, 0), bucket(20, 0, 12), bucket(10, 0, 7)],
      Twilio: [bucket(15, 2, 3)],
    };
    const page = await openWith(
      now({
        status: 'unhealthy',
        current_notification_service: null,
        circuits: circuits(isOpen(75, 'sandbox_failure'), isOpen(5, 'deadline_passed')),
        recent,
      }),
    );
    await waitForHeadline(page, 'No provider is available: the SMS are pending');
    expect(await conditions(page)).toEqual([
      expect.stringMatching(
        /^Aldeamo: Its circuit is open since .* \(1 min ago\): 3 failures in a row, the last: the sandbox is set to fail\. It is checked again in \d+ s\.$/,
      ),
      expect.stringMatching(
        /^Twilio: Its circuit is open since .* \(\d+ s ago\): .* the last: no response within the deadline\./,
      ),
    ]);
    expect(await card(page, 'Twilio').locator('.raw').textContent()).toBe(
      '3 failures in a row, the last: deadline_passed',
    );
    const shares = card(page, 'Aldeamo').locator('.figures dd');
    expect(await shares.allTextContents()).toEqual(['0%', '98.1%', '120 ms', '1,000']);
    expect(await page.locator('#current-provider').getAttribute('data-severity')).toBe('bad');
    expect(await greens(page)).not.toContain('current-provider');
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'both-open');
    await chooseLanguage(page, 'Español');
    expect(await conditions(page)).toEqual([
      expect.stringContaining('Su circuito está abierto desde'),
      expect.stringContaining('sin respuesta dentro del plazo'),
    ]);
    await picture(page, 'both-open-es');
  });

  test('shows holds, pauses, refused accounts, balances, dead letters, and what is held and why', async () => {
    const page = await openWith(
      now({
        status: 'degraded',
        current_notification_service: 'Twilio',
        circuits: circuits(
          {
            mode: 'live',
            account: { state: 'refused', reason: 'balance', since: ago(7300), balance: 0 },
          },
          {
            mode: 'live',
            account: { state: 'ok', reason: null, since: ago(90_000), balance: 1234 },
            throttled_until: ahead(40),
          },
        ),
        holds: {
          Aldeamo: { since: ago(600), until: null, by: 'ana', reason: 'Aldeamo cambia su red' },
          Twilio: null,
        },
        levers: { Aldeamo: null, Twilio: null },
        held: { phone_unknown: 12, daily_limit: 3 },
        dead_letters: 4,
      }),
    );
    await waitForHeadline(page, 'Twilio sends the SMS');
    expect(await conditions(page)).toEqual([
      expect.stringMatching(
        /^Aldeamo: The account is refused since .* \(2 h ago\): no SMS are left in the account\.$/,
      ),
      expect.stringMatching(
        /^Aldeamo: It is held by an operator \(ana\) since .* \(10 min ago\), until it is released: Aldeamo cambia su red$/,
      ),
      expect.stringMatching(/^Twilio: It has asked for a pause until .*: \d+ s more\.$/),
      'Webhook deliveries that are dead, so that no retry picks them up: 4.',
    ]);
    await card(page, 'Aldeamo').getByText('It is held by an operator (ana)').waitFor();
    await card(page, 'Twilio').getByText('1,234 SMS are left in the account.').waitFor();
    expect(await page.locator('#held').textContent()).toBe('15');
    expect(await page.locator('#held-reasons').textContent()).toBe(
      '12: the customer has no known phone · 3: the SMS of the day are used up',
    );
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, 'held-and-refused');
    await chooseLanguage(page, 'Español');
    await page.locator('#held-reasons', { hasText: 'se agotaron los SMS del día' }).waitFor();
    await picture(page, 'held-and-refused-es');
  });

  test('given a service that knows nothing of its providers yet, is nowhere green', async () => {
    const page = await openWith(
      now({
        circuits: circuits({ mode: null }, { mode: null }),
        recent: { Aldeamo: [], Twilio: [] },
        payments: [],
      }),
    );
    await waitForHeadline(page, 'It is not known yet who sends the SMS');
    await page.getByText('Aldeamo has not reported anything yet').waitFor();
    expect(await greens(page)).toEqual([]);
    await card(page, 'Aldeamo').getByText('No calls in the last five minutes.').waitFor();
    expect(await page.locator('canvas').first().isVisible()).toBe(false);
    await picture(page, 'unknown');
  });

  test.each([
    'light',
    'dark',
  ] as const)('in the %s scheme, given a lost connection, is dimmed, counts since when, stops, and goes on by itself', async (colorScheme) => {
    const page = await openWith(now({ recent: { Aldeamo: [bucket(10, 9, 3)], Twilio: [] } }), {
      colorScheme,
      reducedMotion: 'no-preference',
    });
    const isMoving = () =>
      page.evaluate<boolean>(`document.getAnimations().some(({ playState }) => playState === 'running')`);
    await waitForHeadline(page, 'Aldeamo sends the SMS');
    expect(await isMoving()).toBe(true);
    expect((await greens(page)).length).toBeGreaterThan(3);
    await page.evaluate('window.snapshots.fail()');
    await waitForHeadline(page, 'No connection: last seen 2 s ago');
    await waitForHeadline(page, 'No connection: last seen 3 s ago');
    expect(await page.locator('#current-provider-reason').textContent()).toContain('Aldeamo sends the SMS');
    expect(await isMoving()).toBe(false);
    expect(await greens(page)).toEqual([]);
    for (const control of await page.locator('[data-needs-connection]').all()) {
      expect(await control.evaluate((element: { disabled?: boolean }) => element.disabled)).toBe(true);
      const id = await control.getAttribute('aria-describedby');
      expect(await page.locator(`#${id}`).textContent()).toContain('until the page is connected again');
    }
    expect(await seriousViolations(page)).toEqual([]);
    await picture(page, `lost-${colorScheme}`);
    await page.evaluate('window.snapshots.recover()');
    await push(page, now());
    await waitForHeadline(page, 'Aldeamo sends the SMS');
    expect(await page.getByRole('button', { name: 'Send a payment' }).isEnabled()).toBe(true);
    expect(await isMoving()).toBe(true);
  });

  test('given a payment that was refused while the store was down, clears the error once it is up', async () => {
    const page = await openWith(now({ status: 'unhealthy', store_fault: 'unreachable' }));
    await page.route('**/payments', (route) => route.fulfill({ status: 503, body: '{}' }));
    await page.getByRole('button', { name: 'Send a payment' }).click();
    await page.getByText('A payment was refused (503).').waitFor();
    await chooseLanguage(page, 'Español');
    await page.getByText('Se rechazó un pago (503).').waitFor();
    await page.waitForTimeout(5100);
    await push(page, now({ status: 'unhealthy', store_fault: 'unreachable' }));
    await waitForHeadline(page, 'no se puede acceder a la base de datos');
    expect(await page.locator('#error').textContent()).toBe('Se rechazó un pago (503).');
    await push(page, now());
    await page.locator('#error', { hasText: /^$/ }).waitFor({ state: 'attached' });
  });

  const [long, short] = ['90071992547409.91', '5'];
  const rows = () =>
    [long, '12345678.9', short].map((amount, index) => ({
      ...(good.payments?.[0] as NonNullable<Snapshot['payments']>[number]),
      payment_id: `pmt_${9 - index}`,
      customer_id: `a-customer-with-a-long-name-${index}`,
      amount,
      currency: 'COP',
      created_at: ago(60 * index),
      possible_duplicate: index === 1,
      notification_status: index === 0 ? ('held' as const) : ('delivered' as const),
      notification_service: index === 0 ? null : ('Twilio' as const),
    }));

  test.each([
    'en-US',
    'es-CO',
  ])('in %s, given long amounts, no column is over the next, and the chips of all rows are aligned', async (locale) => {
    const page = await openWith(now({ payments: rows() }), { locale });
    await page.locator('.customer', { hasText: 'name-2' }).waitFor();
    const columns = await page.evaluate<number[][][]>(`
      [...document.querySelectorAll('#payments summary')].map((row) =>
        ['.when', '.amount', '.customer', '.provider-name', '.status'].map((part) => {
          const range = document.createRange();
          const element = row.querySelector(part);
          range.selectNodeContents(element);
          const text = range.getBoundingClientRect();
          const box = element.getBoundingClientRect();
          return [Math.min(box.left, part === '.customer' ? box.left : text.left), part === '.customer' ? box.right : Math.max(box.right, text.right)];
        }))`);
    for (const row of columns)
      row
        .slice(1)
        .forEach(([left = 0], index) => void expect(left).toBeGreaterThanOrEqual(row[index]?.[1] ?? 0));
    for (const chip of [3, 4]) expect(new Set(columns.map((row) => row[chip]?.[0])).size).toBe(1);
    expect(await page.locator('.status').allTextContents()).toEqual(['held', 'delivered', 'delivered']);
    expect(await page.locator('.age').allTextContents()).toEqual(
      locale === 'es-CO'
        ? [expect.stringMatching(/^hace \d+ s$/), 'hace 1 min', 'hace 2 min']
        : [expect.stringMatching(/^\d+ s ago$/), '1 min ago', '2 min ago'],
    );
    await page.locator('#payments summary').first().click();
    expect(await page.locator('#payments .payment-id a').first().getAttribute('href')).toBe(
      '/live?payment=pmt_9',
    );
    await picture(page, `rows-${locale.slice(0, 2)}`);
  });

  test.each([
    'light',
    'dark',
  ] as const)('on a phone in the %s scheme during an outage, payments begin on the first screen or the one below', async (colorScheme) => {
    const viewport = { width: 390, height: 844 };
    const page = await openWith(
      now({
        status: 'degraded',
        current_notification_service: 'Twilio',
        circuits: circuits(isOpen(75, 'sandbox_failure')),
        recent: { Aldeamo: [bucket(200, 900, 0), bucket(20, 0, 12)], Twilio: [bucket(15, 20, 3)] },
        held: { phone_unknown: 2 },
        payments: rows(),
      }),
      { viewport, locale: 'es-CO', hasTouch: true, colorScheme },
    );
    await page.locator('.customer', { hasText: 'name-2' }).waitFor();
    const [top = 0, wide] = await page.evaluate<number[]>(
      `[document.querySelector('#payments').getBoundingClientRect().top, document.documentElement.scrollWidth]`,
    );
    await picture(page, `phone-outage-${colorScheme}`);
    expect(top).toBeLessThan(2 * viewport.height);
    expect(wide).toBe(viewport.width);
    expect(await seriousViolations(page)).toEqual([]);
    await card(page, 'Aldeamo').locator('.plots summary').tap();
    await card(page, 'Aldeamo').locator('canvas').first().waitFor();
  });
});

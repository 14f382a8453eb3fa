import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

/** Chromium for the tests of the live page. Their pictures are in test/output/. */

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
export const withoutChromium = existsSync(executablePath) ? undefined : `there is no ${executablePath}`;
if (withoutChromium && process.env.REQUIRE_CHROMIUM === '1')
  throw new Error(`REQUIRE_CHROMIUM=1, but ${withoutChromium}`);

const pictures = 'test/output';
export let browser: Browser;
/** Console messages (among them violations of the content security policy), exceptions and dialogs: must be empty. */
export const faults: string[] = [];

export async function open(
  at: string,
  { locale = 'en-US', ...options }: Parameters<Browser['newContext']>[0] = {},
): Promise<Page> {
  const context = await browser.newContext({ locale, viewport: { width: 1100, height: 1000 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('console', (message) => {
    // Chromium logs each response that is not 2xx.
    if (!message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(at);
  return page;
}

export const picture = (page: Page, name: string) =>
  page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
/** The picture in README.md, which is taken again with UPDATE_PICTURE=1; a JPEG, because it has half the size of a PNG. */
export const pictureOfReadme = (page: Page) =>
  page.screenshot({
    path: 'docs/failover.jpg',
    quality: 43,
    clip: { x: 0, y: 0, width: 1100, height: 820 },
  });

/** Describes the serious and critical violations of accessibility. */
export async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

export const green = 'rgb(47, 158, 98)';
/** The colors that tell at a glance whether SMS go out. */
export const headlineColors = (page: Page) =>
  page.evaluate<string[]>(`[
    getComputedStyle(document.querySelector('#current-provider')).borderLeftColor,
    getComputedStyle(document.querySelector('.flow .to-aldeamo')).stroke,
    getComputedStyle(document.querySelector('.flow rect.aldeamo')).stroke,
  ]`);
export const headlineFaults = (page: Page, text: string) =>
  page.locator('#current-provider-faults', { hasText: text });
export const waitForActiveProvider = (page: Page, text: string | RegExp) =>
  page.locator('#current-provider-name', { hasText: text }).waitFor();
export const card = (page: Page, provider: string) => page.getByRole('region', { name: provider });

/** Starts it before the tests of the file, and ends it after them. */
export function useChromium(): void {
  beforeAll(async () => {
    if (withoutChromium) return;
    await mkdir(pictures, { recursive: true });
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // As of a page that rebinds its name, and of a service of Compose.
        '--host-resolver-rules=MAP evil.example 127.0.0.1, MAP payment-service 127.0.0.1',
      ],
    });
  });
  afterAll(() => browser?.close());
}

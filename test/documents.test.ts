import { glob, readdir, readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { throughputChart } from '../bench/chart.ts';
import { chartPath, report, reports } from '../bench/report.ts';
import { readResults } from '../bench/results.ts';
import { circuitReasons, texts } from '../payment-service/src/live/page/texts.js';
import { blocksOf, isSetUp, readPage, readPages, startCommands } from './pages.ts';

/** What the documents have to agree with, except for what their steps print: readme.test.ts follows those. */

const pages = await readPages();
const { markdown: readme } = await readPage('README.md');

test('every command of npm and Docker in the pages is run by a test or by .ci/run', async () => {
  const ci = await readFile('.ci/run', 'utf8');
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const partsOfTest = Object.keys(scripts).filter((name) => scripts[name].startsWith(`${scripts.test} `));
  const elsewhere = [...Object.values(startCommands), ...partsOfTest.map((name) => `npm run ${name}`)];
  const commands = pages.flatMap(({ steps }) => steps.filter(isSetUp).map(({ text }) => text));
  expect(commands.filter((command) => !elsewhere.includes(command) && !ci.includes(command))).toEqual([]);
  expect(commands).toContain('npm ci');
  for (const command of Object.values(startCommands)) expect(readme).toContain(command);
});

test('README.md and README.es.md have 150 lines at most, and their picture 60 KB', async () => {
  for (const path of ['README.md', 'README.es.md'])
    expect((await readFile(path, 'utf8')).split('\n').length - 1, path).toBeLessThanOrEqual(150);
  expect((await stat('docs/failover.jpg')).size).toBeLessThan(60_000);
});

test('README.es.md has the commands, the output and the names of README.md', async () => {
  const spanish = await readFile('README.es.md', 'utf8');
  const names = (page: string) =>
    page
      .replace(/^```.*?^```$/gms, '')
      .match(/`[^`]+`/g)
      ?.toSorted();
  expect(blocksOf(spanish)).toEqual(blocksOf(readme));
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

test('every script of ops/ is in a page, and every one that a page names exists and can be run', async () => {
  const files = await readdir('ops', { withFileTypes: true });
  const scripts = files.filter((each) => each.isFile()).map(({ name }) => `ops/${name}`);
  const named = pages.flatMap(({ markdown }) => markdown.match(/(?<=`|^|\| )ops\/[a-z-]+(?=[ `]|$)/gm) ?? []);
  expect(new Set(named)).toEqual(new Set(scripts));
  const names = scripts.map((script) => script.slice('ops/'.length)).join('|');
  const withoutFolder = new RegExp(`^(${names}) (["']|[a-z]+-service).*`, 'gm');
  expect(pages.flatMap(({ markdown }) => markdown.match(withoutFolder) ?? [])).toEqual([]);
  for (const script of scripts) {
    expect((await stat(script)).mode & 0o111, script).toBe(0o111);
    expect(await readFile(script, 'utf8'), script).toMatch(
      /^#!\/usr\/bin\/env bash\n# .*\nset -euo pipefail\n/s,
    );
  }
});

test('docs/observability.md lists the alerts, and docs/alerts.md has a section for each', async () => {
  const rules = await Promise.all(
    ['alerts', 'objectives'].map((name) => readFile(`ops/prometheus/${name}.yml`, 'utf8')),
  );
  const alerts = rules.join('').match(/(?<=- alert: )\w+/g) ?? [];
  const { markdown: observability } = await readPage('docs/observability.md');
  const { markdown: pages } = await readPage('docs/alerts.md');
  const links = alerts.map((alert) => `| [\`${alert}\`](alerts.md#${alert.toLowerCase()}) |`);
  expect(observability.match(/^\| \[`\w+`\]\(alerts\.md#\w+\) \|/gm)?.toSorted()).toEqual(links.toSorted());
  for (const alert of alerts) expect(pages).toContain(`\n## ${alert}\n`);
});

test('docs/delivery.md lists the reasons of the sources, and those for which the live page has a text', async () => {
  const { markdown } = await readPage('docs/delivery.md');
  const [section = ''] = /(?<=^### Reasons\n).*?(?=^##)/ms.exec(markdown) ?? [];
  const cells = section.match(/(?<=^\| )`.*?(?= \|)/gm) ?? [];
  const listed = cells.flatMap((cell) => cell.match(/(?<=`)[a-z_]+(?=`)/g) ?? []);
  const keys = Object.keys(texts.en).map((key) => key.replace(/_reason$/, ''));
  expect(listed.toSorted()).toEqual(keys.slice(keys.indexOf('circuit_open')).toSorted());
  const reasons = await reasonsOfSources();
  expect(reasons).toContain('circuit_open');
  expect(reasons.filter((reason) => !markdown.includes(`\`${reason}\``))).toEqual([]);
});

test('docs/delivery.md lists the reasons of a circuit, each of which the live page translates', async () => {
  const { markdown } = await readPage('docs/delivery.md');
  const [section = ''] = /^\| state \| reason .*?\n\n/ms.exec(markdown) ?? [];
  const cells = section.match(/^\|[^|]*\|[^|]*/gm)?.slice(2) ?? [];
  const listed = cells.flatMap((cell) => cell.split('|')[2]?.match(/(?<=`)[^`,][^`]+(?=`)/g) ?? []);
  const patterns = circuitReasons.map(([pattern]) => pattern);
  expect(listed.filter((reason) => !patterns.some((pattern) => pattern.test(reason)))).toEqual([]);
  expect(patterns.filter((pattern) => !listed.some((reason) => pattern.test(reason)))).toEqual([]);
});

/** What the sources assign to a `reason`, apart from the columns of that name. */
async function reasonsOfSources(): Promise<string[]> {
  const paths = await Array.fromAsync(glob('*/src/**/*.ts'));
  const sources = await Promise.all(
    paths.filter((path) => !path.includes('/store/')).map((path) => readFile(path, 'utf8')),
  );
  const assigned = sources.flatMap((source) => source.match(/\breason(:| =) [^}\n]*/g) ?? []);
  return assigned.flatMap((line) => line.match(/(?<=[:?(=] ?')(?<!== ')[a-z_]+(?=')/g) ?? []);
}

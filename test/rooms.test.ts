import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

/** Holds biome.json to the rules between the rooms: each rule is broken once, and what a room may import passes. */

const run = promisify(execFile);

/** Lints a tree of its own with the project's rules, and returns the rules that each file breaks. */
async function lint(files: Record<string, string>): Promise<Record<string, string[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'rooms-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { $schema: _, vcs: _vcs, ...config } = JSON.parse(await readFile('biome.json', 'utf8'));
  for (const [path, text] of Object.entries({ ...files, 'biome.json': JSON.stringify(config) })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const biome = resolve('node_modules/.bin/biome');
  const only = ['noRestrictedImports', 'noImportCycles', 'noExcessiveCognitiveComplexity'];
  const groups = { noRestrictedImports: 'style', noImportCycles: 'suspicious' } as Record<string, string>;
  const args = only.map((rule) => `--only=${groups[rule] ?? 'complexity'}/${rule}`);
  const { stdout } = await run(biome, ['lint', '--reporter=json', '--max-diagnostics=none', ...args, '.'], {
    cwd: folder,
    maxBuffer: 2 ** 26,
  }).catch((error: { stdout: string }) => error);
  const broken: Record<string, string[]> = Object.fromEntries(Object.keys(files).map((path) => [path, []]));
  for (const { category, location } of JSON.parse(stdout).diagnostics)
    broken[location.path.file ?? location.path]?.push(category.split('/').at(-1));
  return broken;
}

/** A file that uses what it imports from there. */
const importing = (source: string) => `import { it } from '${source}';\nexport const own = it;\n`;
const rooms = 'payment-service/src';

/** [the room of a file, what it must not import] */
const forbidden: [file: string, source: string][] = [
  ['domain/a.ts', 'service-kit/telemetry/correlation.ts'],
  ['domain/b.ts', '../store/store.ts'],
  ['store/a.ts', '../delivery/delivery.ts'],
  ['store/b.ts', '../providers/circuit-breaker.ts'],
  ['store/c.ts', '../live/replicas.ts'],
  ['store/d.ts', '../http/payments.ts'],
  ['store/e.ts', 'service-kit/http/problem.ts'],
  ['store/sqlite/a.ts', '../../live/replicas.ts'],
  ['store/sqlite/b.ts', '../postgres/store.ts'],
  ['store/postgres/a.ts', '../../delivery/delivery.ts'],
  ['store/postgres/b.ts', '../sqlite/store.ts'],
  ['store/copy/a.ts', '../../delivery/delivery.ts'],
  ['providers/a.ts', '../domain/payment.ts'],
  ['providers/b.ts', '../delivery/notifier.ts'],
  ['providers/c.ts', 'service-kit/http/problem.ts'],
  ['delivery/a.ts', '../http/payments.ts'],
  ['delivery/b.ts', '../live/live.ts'],
  ['delivery/c.ts', '../store/sqlite/store.ts'],
  ['delivery/d.ts', 'service-kit/http/server.ts'],
  ['delivery/e.ts', '../config.ts'],
  ['http/a.ts', '../live/live.ts'],
  ['http/b.ts', '../store/open-store.ts'],
  ['http/c.ts', '../providers/circuit-breaker.ts'],
  ['http/d.ts', '../app.ts'],
  ['http/e.ts', '../service.ts'],
  ['store/f.ts', '../service.ts'],
  ['live/a.ts', '../http/circuit.ts'],
  ['live/b.ts', '../store/open-store.ts'],
  ['live/c.ts', 'service-kit/provider/app.ts'],
  ['live/d.ts', '../../../twilio-service/src/app.ts'],
  ['webhooks/a.ts', '../delivery/delivery.ts'],
  ['webhooks/b.ts', '../http/payments.ts'],
  ['webhooks/c.ts', '../store/sqlite/store.ts'],
  ['webhooks/d.ts', '../providers/circuit-breaker.ts'],
  ['webhooks/e.ts', '../live/live.ts'],
  ['webhooks/f.ts', '../config.ts'],
  ['operations/a.ts', '../http/payments.ts'],
  ['operations/b.ts', '../live/live.ts'],
  ['operations/c.ts', '../webhooks/worker.ts'],
  ['operations/d.ts', '../store/sqlite/store.ts'],
  ['operations/e.ts', '../providers/circuit-breaker.ts'],
  ['operations/f.ts', '../config.ts'],
  ['http/f.ts', '../webhooks/merchant-events.ts'],
  ['http/g.ts', '../operations/holds.ts'],
  ['live/e.ts', '../operations/holds.ts'],
  ['a.ts', 'service-kit/provider/app.ts'],
  ['b.ts', '../../aldeamo-service/src/config.ts'],
  ['c.ts', '../test/fixture.ts'],
  ['../../aldeamo-service/src/a.ts', '../../twilio-service/src/app.ts'],
  ['../../twilio-service/src/a.ts', '../../payment-service/src/app.ts'],
  ['../../twilio-service/src/b.ts', '../test/fixture.ts'],
  ['../../service-kit/src/a.ts', '../../payment-service/src/app.ts'],
  ['../../service-kit/src/b.ts', '../../bench/load.ts'],
];

const allowed: [file: string, source: string][] = [
  ['domain/y.ts', 'service-kit/contract/notification.ts'],
  ['domain/z.ts', './payment.ts'],
  ['store/y.ts', '../domain/payment.ts'],
  ['store/z.ts', './postgres/store.ts'],
  ['store/sqlite/z.ts', '../store.ts'],
  ['store/postgres/z.ts', 'service-kit/postgres/database.ts'],
  ['store/copy/y.ts', '../sqlite/migrate.ts'],
  ['store/copy/z.ts', '../postgres/schema.ts'],
  ['providers/y.ts', '../domain/outcome.ts'],
  ['providers/z.ts', 'service-kit/client/answer.ts'],
  ['delivery/x.ts', '../store/store.ts'],
  ['delivery/y.ts', '../providers/circuit-breaker.ts'],
  ['delivery/w.ts', 'service-kit/http/http-problems.ts'],
  ['delivery/z.ts', 'service-kit/http/problem.ts'],
  ['http/x.ts', '../delivery/delivery.ts'],
  ['http/y.ts', '../providers/circuit-report.ts'],
  ['http/z.ts', 'service-kit/http/problem.ts'],
  ['live/z.ts', '../store/store.ts'],
  ['webhooks/w.ts', '../domain/events.ts'],
  ['webhooks/x.ts', '../store/events.ts'],
  ['webhooks/y.ts', '../delivery/problems.ts'],
  ['webhooks/z.ts', 'service-kit/client/http-client.ts'],
  ['operations/x.ts', '../delivery/notifier.ts'],
  ['operations/y.ts', '../store/store.ts'],
  ['operations/z.ts', '../store/history.ts'],
  ['operations/w.ts', '../providers/circuit-report.ts'],
  ['z.ts', './http/payments.ts'],
];

const inTree = (imports: [file: string, source: string][]) =>
  Object.fromEntries(imports.map(([file, source]) => [join(rooms, file), importing(source)]));

test('given an import that the rooms forbid, or a type that is imported so, the check names it', async () => {
  const typed = join(rooms, 'store/typed.ts');
  const files = {
    ...inTree(forbidden),
    [typed]: "import type { It } from '../live/replicas.ts';\nexport type Own = It;\n",
  };
  const broken = await lint(files);
  expect(Object.entries(broken).filter(([, rules]) => !rules.includes('noRestrictedImports'))).toEqual([]);
});

test('given an import that the rooms allow, the check passes', async () => {
  expect(Object.entries(await lint(inTree(allowed))).filter(([, rules]) => rules.length > 0)).toEqual([]);
});

test('given two files that import each other, if only their types, the check names both', async () => {
  const broken = await lint({
    'service-kit/src/one.ts': "import type { Two } from './two.ts';\nexport type One = Two | 1;\n",
    'service-kit/src/two.ts': "import type { One } from './one.ts';\nexport type Two = One | 2;\n",
  });
  expect(Object.values(broken)).toEqual([['noImportCycles'], ['noImportCycles']]);
});

test('given a function of 16 nested decisions, the check names it', async () => {
  const nested = 'if (n) { '.repeat(6);
  const broken = await lint({
    'service-kit/src/deep.ts': `export function deep(n: number) { ${nested}n += 1; ${'}'.repeat(6)} return n; }\n`,
  });
  expect(Object.values(broken)).toEqual([['noExcessiveCognitiveComplexity']]);
});

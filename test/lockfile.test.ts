import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** A second version of one of them takes megabytes of each image, and its spans may not fit the exporter's. */
test('the lockfile has one copy of each OpenTelemetry package', async () => {
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8'));
  const names = Object.keys(packages)
    .filter((path) => path.includes('/@opentelemetry/'))
    .map((path) => path.split('node_modules/').at(-1) ?? '');
  expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  expect(names).toContain('@opentelemetry/sdk-trace');
});

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { openApiDocuments } from './openapi-documents.ts';

/** `npm run check:openapi`: lints the OpenAPI document of each service, by the rules of redocly.yaml. */
const root = join(import.meta.dirname, '..');
const folder = await mkdtemp(join(tmpdir(), 'openapi-'));
const files = await Promise.all(
  Object.entries(await openApiDocuments()).map(async ([name, document]) => {
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify(document, null, 2));
    return file;
  }),
);
const { status } = spawnSync(
  resolve(root, 'node_modules/.bin/redocly'),
  ['lint', '--config', join(root, 'redocly.yaml'), ...files],
  { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
);
await rm(folder, { recursive: true });
process.exitCode = status ?? 1;

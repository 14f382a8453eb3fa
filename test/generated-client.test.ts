import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startOneService } from './one-service.ts';

/** A client whose types are generated from /openapi.json. The generator needs a TypeScript that is older than that of the services. */

const folder = resolve('test/generated-client');
const output = resolve('test/output/generated-client');
const run = promisify(execFile);
const inWorkspace = (command: string, ...words: string[]) =>
  run(resolve(folder, 'node_modules/.bin', command), words, { cwd: folder });

/** Defaults are those of requests: in a response a field that has one may still be null. */
const asWritten = ['--default-non-nullable', 'false'];

test('types generated from the document of each service compile', async () => {
  await mkdir(output, { recursive: true });
  for (const name of ['aldeamo-service', 'twilio-service', 'payment-service'] as const) {
    const { url } = await startOneService(name);
    const file = resolve(output, `${name}.ts`);
    await inWorkspace('openapi-typescript', `${url}/openapi.json`, '--output', file, ...asWritten);
  }
  await inWorkspace('tsc');
});

test('a client of these types pays, finds its payment, and gets a problem as an error', async () => {
  const { url } = await startOneService('payment-service');
  const { stdout } = await run(process.execPath, [resolve(folder, 'pay.ts'), url]);
  expect(JSON.parse(stdout)).toEqual({
    minor: 1999,
    shop: null,
    reasons: ['connection_refused', 'connection_refused'],
    listed: 1,
    type: '/problems/payment-not-found',
  });
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

/** Runs what ops/each runs in a container with these settings, and returns the `Authorization` that it sends. */
async function authorizationOf(path: string, settings: Record<string, string>): Promise<string | undefined> {
  const seen: (string | undefined)[] = [];
  const server = createServer(({ headers }, response) => {
    seen.push(headers.authorization);
    response.end('fine');
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const script = await readFile('ops/lib/request.js', 'utf8');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script, 'GET', path],
    { env: { PORT: String((server.address() as AddressInfo).port), ...settings } },
  );
  expect(stdout).toMatch(/ 200 fine\n$/);
  return seen[0];
}

test.each([
  ['/health', { ADMIN_API_KEY: 'key-of-the-admin-1' }, 'Bearer key-of-the-admin-1'],
  ['/health', { ADMIN_API_KEY: 'noc:key-of-the-noc-01,maria:key-of-maria-0001' }, 'Bearer key-of-the-noc-01'],
  [
    '/health/upstream',
    { SERVICE_TOKEN: 'token-of-services-2, token-of-services-1' },
    'Bearer token-of-services-2',
  ],
  ['/health', {}, undefined],
])('given a request to %s with %j, ops/each sends the first key', async (path, settings, authorization) => {
  expect(await authorizationOf(path, settings)).toBe(authorization);
});

test('given operators in the lines of a file, ops/each sends the key of the first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'request-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const ADMIN_API_KEY_FILE = join(folder, 'admins');
  await writeFile(ADMIN_API_KEY_FILE, 'noc:key-of-the-noc-01\r\nmaria:key-of-maria-0001\r\n');
  expect(await authorizationOf('/metrics', { ADMIN_API_KEY_FILE })).toBe('Bearer key-of-the-noc-01');
});

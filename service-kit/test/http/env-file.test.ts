import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from 'service-kit/http/configuration.ts';
import { loadEnvFile } from 'service-kit/http/env-file.ts';
import { expect, onTestFinished, test } from 'vitest';

async function envFile(content: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'env-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, '.env'), content);
  return join(folder, '.env');
}

const text = '\ufeffHOST=127.0.0.2\r\nLOG_LEVEL=warn\r\n';

test.each([
  ['UTF-8 with a byte order mark', Buffer.from(text)],
  ['UTF-8 without one', Buffer.from(text.slice(1))],
  ['UTF-16 of Windows', Buffer.from(text, 'utf16le')],
  ['UTF-16 with the high byte first', Buffer.from(text, 'utf16le').swap16()],
])('given a .env in %s, reads its first name and the others', async (_what, content) => {
  const env = {};
  const names = loadEnvFile(env, await envFile(content));
  expect(env).toEqual({ HOST: '127.0.0.2', LOG_LEVEL: 'warn' });
  expect(names).toEqual(['HOST', 'LOG_LEVEL']);
});

test('given a variable that is set in the environment, even to nothing, that of .env does not replace it', async () => {
  const env = { HOST: '::1', LOG_LEVEL: '' };
  loadEnvFile(env, await envFile(text));
  expect(env).toEqual({ HOST: '::1', LOG_LEVEL: '' });
});

test('given no .env, loads nothing', () => {
  const env = {};
  expect(loadEnvFile(env, join(tmpdir(), 'no such folder', '.env'))).toEqual([]);
  expect(env).toEqual({});
});

test('given a folder in place of .env, names it and the remedy', () => {
  const load = () => loadEnvFile({}, tmpdir());
  expect(load).toThrow(ConfigurationError);
  expect(load).toThrow(`${tmpdir()} cannot be read (EISDIR): make it a text file`);
});

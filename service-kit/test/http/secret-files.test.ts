import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { secretsOf } from 'service-kit/http/secret-files.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import { aldeamoConfigSchema } from '../../../aldeamo-service/src/config.ts';
import { paymentConfigSchema } from '../../../payment-service/src/config.ts';
import { twilioConfigSchema } from '../../../twilio-service/src/config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function fileWith(content: string | Buffer): Promise<string> {
  files += 1;
  const path = join(folder, `secret-${files}`);
  await writeFile(path, content);
  return path;
}

const read = (env: Record<string, string>) => readConfiguration(paymentConfigSchema, env);

function refusal(schema: z.ZodType, env: Record<string, string>): string {
  try {
    readConfiguration(schema, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

const admin = 'admin-key-0123456789';
const service = 'service-token-0123456789';
const others = { API_KEYS: 'shop:shop-key-0123456789', SERVICE_TOKEN: service };

test('the keys, the passwords, the tokens, and the URLs that may have a password or are one, are secrets', () => {
  const all = [paymentConfigSchema, aldeamoConfigSchema, twilioConfigSchema].flatMap(secretsOf);
  expect([...new Set(all)].sort()).toEqual([
    'ADMIN_API_KEY',
    'ALDEAMO_PASSWORD',
    'ALDEAMO_USERNAME',
    'API_KEYS',
    'DATABASE_PASSWORD',
    'DATABASE_URL',
    'HTTPS_PROXY',
    'SENDS_DATABASE_PASSWORD',
    'SENDS_DATABASE_URL',
    'SERVICE_TOKEN',
    'TWILIO_API_KEY_SECRET',
    'TWILIO_AUTH_TOKEN',
    'TWILIO_AUTH_TOKEN_SECONDARY',
    'WEBHOOK_SECRETS',
    'WEBHOOK_URL',
  ]);
});

test.each([
  ['nothing behind it', Buffer.from(admin)],
  ['a line end', Buffer.from(`${admin}\n`)],
  ['a line end of Windows', Buffer.from(`${admin}\r\n`)],
  ['a byte order mark', Buffer.from(`\ufeff${admin}\n`)],
  ['the encoding of PowerShell', Buffer.from(`\ufeff${admin}\r\n`, 'utf16le')],
])('given the file of a secret with %s, takes the value without it', async (_what, content) => {
  const config = read({ ...others, ADMIN_API_KEY_FILE: await fileWith(content) });
  expect(config.ADMIN_API_KEY).toMatchObject([{ key: admin }]);
});

test('given a secret by a link, as Kubernetes mounts it, takes the value', async () => {
  const link = join(folder, 'link');
  await symlink(await fileWith(`${admin}\n`), link);
  expect(read({ ...others, ADMIN_API_KEY_FILE: link }).ADMIN_API_KEY).toMatchObject([{ key: admin }]);
});

test('given API_KEYS_FILE with a line for each client, takes all of them', async () => {
  const API_KEYS_FILE = await fileWith(
    'shop:shop-key-0123456789\r\nweb:web-key-0123456789,web:web-key-9876543210\n',
  );
  const { API_KEYS } = read({ API_KEYS_FILE, ADMIN_API_KEY: admin, SERVICE_TOKEN: service });
  expect(API_KEYS?.map(({ name }) => name)).toEqual(['shop', 'web', 'web']);
});

test('given ADMIN_API_KEY_FILE with a line for each operator, takes all of them', async () => {
  const ADMIN_API_KEY_FILE = await fileWith('maria:maria-key-0123456789\nnoc:noc-key-0123456789\n');
  const { ADMIN_API_KEY } = read({ ...others, ADMIN_API_KEY_FILE });
  expect(ADMIN_API_KEY?.map(({ name }) => name)).toEqual(['maria', 'noc']);
});

test('given an empty name of a file, the secret is not set', () => {
  expect(read({ ADMIN_API_KEY_FILE: '' }).ADMIN_API_KEY).toBeUndefined();
});

test('given a secret and its file, names both', async () => {
  const ADMIN_API_KEY_FILE = await fileWith(admin);
  expect(refusal(paymentConfigSchema, { ...others, ADMIN_API_KEY: admin, ADMIN_API_KEY_FILE })).toBe(
    'The configuration is invalid:\n  ADMIN_API_KEY_FILE: must not be set together with ADMIN_API_KEY: remove one, or set it to nothing',
  );
});

test('given a file of any setting that is wrong in it, names the variable of the file and never the value', async () => {
  const text = refusal(paymentConfigSchema, {
    SERVICE_TOKEN: service,
    API_KEYS_FILE: await fileWith('shop-without-colon'),
    ADMIN_API_KEY_FILE: await fileWith('tooshort'),
    DATABASE_URL_FILE: await fileWith('mysql://root:hunter2@host/payments'),
  });
  expect(text.split('\n').slice(1).sort()).toEqual([
    '  ADMIN_API_KEY_FILE: must have at least 16 characters',
    '  API_KEYS_FILE: entry 1 must be name:key, with a name of at most 64 letters, digits, - and _',
    '  DATABASE_URL_FILE: must be file: and a path, or a postgres:// URL with a database',
  ]);
});

test.each<[string, () => Promise<string> | string, string]>([
  ['does not exist', () => join(folder, 'nowhere'), 'does not exist'],
  ['is empty', () => fileWith('\n'), 'is empty'],
  ['is a folder', () => folder, 'is a folder, and not a file'],
  ['is too large', () => fileWith('x'.repeat(65_537)), 'has more than 65536 bytes'],
  ['is not a text', () => fileWith(Buffer.from([0x61, 0xff, 0xfe, 0x62])), 'is not a text in UTF-8'],
  ['has several lines', () => fileWith(`${admin}\n${admin}\n`), 'has several lines, and must have one'],
  ['is a device', () => '/dev/null', 'is not a regular file'],
  ['is behind a file', async () => `${await fileWith('x')}/secret`, 'is behind a file, and not in a folder'],
  ['is a link to itself', () => linkToItself(), 'is a link that leads to itself'],
  ['has a long name', () => join(folder, 'x'.repeat(300)), 'has a name that is too long for a file'],
])('given a file that %s, names the variable, the path and the cause, and nothing that depends on the secret', async (_what, make, cause) => {
  const path = await make();
  const env = { API_KEYS: others.API_KEYS, ADMIN_API_KEY: admin, SERVICE_TOKEN_FILE: path };
  expect(refusal(paymentConfigSchema, env)).toBe(
    `The configuration is invalid:\n  SERVICE_TOKEN_FILE: ${path} ${cause}`,
  );
});

async function linkToItself(): Promise<string> {
  const link = join(folder, 'loop');
  await symlink(link, link);
  return link;
}

test.each([
  ['a ~', '~/admin.key', 'must be a path without ~, which only a shell replaces'],
  ['quotes', '"/run/secrets/admin.key"', 'must be a path without quotes around it'],
  ['single quotes', "'/run/secrets/admin.key'", 'must be a path without quotes around it'],
  ['the scheme of a URL', 'file:///run/secrets/admin.key', 'must be a path, and not a URL'],
  ['a blank', '/run/secrets/admin.key ', 'must be a path without white space around it'],
  ['a NUL', '/run/secrets/admin\0key', 'must be a path, which has no NUL'],
])('given a path with %s, says what it must be', (_what, path, rule) => {
  expect(refusal(paymentConfigSchema, { ...others, ADMIN_API_KEY_FILE: path })).toBe(
    `The configuration is invalid:\n  ADMIN_API_KEY_FILE: ${rule}`,
  );
});

test('given a file whose name has quotes and white space, takes its value', async () => {
  const path = join(folder, '"admin key" ');
  await writeFile(path, admin);
  expect(read({ ...others, ADMIN_API_KEY_FILE: path }).ADMIN_API_KEY).toMatchObject([{ key: admin }]);
});

test('given a file that this user may not read, says so', async () => {
  const path = await fileWith(admin);
  await chmod(path, 0);
  const read = () => refusal(paymentConfigSchema, { ...others, ADMIN_API_KEY_FILE: path });
  expect(asOrdinaryUser(read)).toContain(`${path} may not be read by the user of this process`);
});

/** Root may read everything. */
function asOrdinaryUser<Result>(work: () => Result): Result {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
  }
}

test.each<[string, (secret: string) => string, () => string]>([
  ['the secret itself', (secret) => secret, () => `in ${process.cwd()}`],
  ['a secret that begins with a slash', (secret) => `/${secret}+x=`, () => 'below /'],
  ['a secret with slashes', (secret) => `/${secret}/${secret}/a=`, () => 'below /'],
  ['a secret behind a folder', (secret) => `${folder}/${secret}/a`, () => `below ${folder}`],
])('given %s in place of the path, does not print it', (_what, pathOf, where) => {
  expect(refusal(paymentConfigSchema, { ...others, ADMIN_API_KEY_FILE: pathOf(admin) })).toBe(
    `The configuration is invalid:\n  ADMIN_API_KEY_FILE: the file that it names ${where()} does not exist`,
  );
});

test('given two files that cannot be read and a wrong setting, names all three, and no setting that needs them', async () => {
  await mkdir(join(folder, 'empty'), { recursive: true });
  const text = refusal(aldeamoConfigSchema, {
    ALDEAMO_USERNAME_FILE: join(folder, 'no-user'),
    ALDEAMO_PASSWORD_FILE: join(folder, 'empty'),
    GATEWAY_TIMEOUT_MS: 'soon',
  });
  expect(
    text
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(':')[0]),
  ).toEqual(['ALDEAMO_USERNAME_FILE', 'ALDEAMO_PASSWORD_FILE', 'GATEWAY_TIMEOUT_MS']);
});

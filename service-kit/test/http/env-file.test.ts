import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
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
  const { assignments, ignored } = loadEnvFile(env, await envFile(content));
  expect(env).toEqual({ HOST: '127.0.0.2', LOG_LEVEL: 'warn' });
  expect(assignments.map(({ name, line }) => [name, line])).toEqual([
    ['HOST', 1],
    ['LOG_LEVEL', 2],
  ]);
  expect(ignored).toEqual([]);
});

test('given a variable that is set in the environment, even to nothing, that of .env does not replace it', async () => {
  const env = { HOST: '::1', LOG_LEVEL: '' };
  loadEnvFile(env, await envFile(text));
  expect(env).toEqual({ HOST: '::1', LOG_LEVEL: '' });
});

test('given no .env, loads nothing', () => {
  const env = {};
  const read = loadEnvFile(env, join(tmpdir(), 'no such folder', '.env'));
  expect(read).toEqual({ assignments: [], ignored: [] });
  expect(env).toEqual({});
});

test('given a folder in place of .env, names it and the remedy', () => {
  const load = () => loadEnvFile({}, tmpdir());
  expect(load).toThrow(ConfigurationError);
  expect(load).toThrow(`${tmpdir()} cannot be read (EISDIR): make it a text file`);
});

const linesOf = async (content: string) => {
  const { ignored } = loadEnvFile({}, await envFile(content));
  return ignored.map(({ line }) => line);
};

test.each([
  ['a colon', 'A=1\nALDEAMO_LATENCY_MS: 1500\nB=2', [2]],
  ['a colon and a value with =', 'ADMIN_API_KEY: c2VjcmV0cw==', [1]],
  ['a command of another shell', 'set A=1\n$env:B="x"\nexport\tC=1', [1, 2, 3]],
  ['a space that is no space', '\u00a0A=1', [1]],
  ['a line of words', 'A=1\r\n\r\nnotes\r\n', [3]],
  ['no name', '=1', [1]],
  ['a value behind its line', 'A\n=1', [1, 2]],
  ['lines behind a value of several lines', 'A="x\ny: z\n"\nB: 1', [4]],
])('given %s, reports the line, which has no effect', async (_what, content, expected) => {
  expect(await linesOf(content)).toEqual(expected);
});

test.each([
  ['blank lines and comments', '\n# A: 1\n  # B: 2\n \t\nC=1 # D: 3\n'],
  ['export and spaces', 'export A=1\nexport  B = 2\n  C=3'],
  ['values in quotation marks, of several lines', 'A="x\ny: z\n# w"\nB=\'x\ny\' z\nC=`a\n\nb`'],
  ['empty values', 'A=\nB=""\nC='],
  ['other names', 'a.b-c=1'],
])('given %s, reports no line', async (_what, content) => {
  expect(await linesOf(content)).toEqual([]);
});

test('given a value of spaces, does not take the next line for it', async () => {
  const env = {};
  loadEnvFile(env, await envFile('ALDEAMO_USERNAME= \t\nLOG_LEVEL=warn\n'));
  expect(env).toEqual({ ALDEAMO_USERNAME: '', LOG_LEVEL: 'warn' });
});

test.each([
  ['A="x\nB="y"\nC=3', ['A']],
  ['A="x\nB=2', ['A']],
  ['A=\'x\'\nB="y" # z', []],
])('given %j, knows whose quotation mark is open', async (content, expected) => {
  const { assignments } = loadEnvFile({}, await envFile(content));
  expect(assignments.filter(({ isOpen }) => isOpen).map(({ name }) => name)).toEqual(expected);
});

test.each([
  ['A=ab#cd', 'ab'],
  ['A="a"b"', 'a'],
])('given %j, of which a part is no value, reports that it is cut', async (content, value) => {
  const env = {};
  const { assignments } = loadEnvFile(env, await envFile(content));
  expect(env).toEqual({ A: value });
  expect(assignments).toMatchObject([{ name: 'A', isCut: true }]);
});

test.each([
  'A=1 # comment',
  'A="a#b" # comment',
  "A='a\"b'",
  'A=#comment',
  'A=',
  'A=a"b',
])('given %j, reports no cut', async (content) => {
  const { assignments } = loadEnvFile({}, await envFile(content));
  expect(assignments).toMatchObject([{ isCut: false }]);
});

const piece = fc.constantFrom(
  'A',
  'B',
  'export ',
  '=',
  ' = ',
  '"',
  "'",
  '`',
  '#',
  ' ',
  '\t',
  ': ',
  '\n',
  '\n',
  'x',
);

test('knows the names that the parser of Node.js reads, whatever the text', () => {
  const folder = mkdtempSync(join(tmpdir(), 'env-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, '.env');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      // Without what that parser reads oddly: a value of spaces, a line that begins with =, and a second export; it leaves export
      // before an empty value.
      const text = pieces
        .join('')
        .replace(/=[ \t]+$/gm, '=')
        .replace(/(export [ \t]*)+/g, 'export ')
        .replace(/^([ \t]|export )*=/gm, 'C=');
      writeFileSync(path, text);
      const names = loadEnvFile({}, path).assignments.map(({ name }) => name);
      const known = Object.keys(parseEnv(text))
        .map((name) => name.replace(/^export [ \t]*/, ''))
        .filter((name) => /^[\w.-]+$/.test(name));
      expect(new Set(names)).toEqual(new Set(known));
    }),
    { numRuns: 500 },
  );
});

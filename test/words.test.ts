import { glob, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** Keeps words out of the sources and the documents that have no right use here: people for components, and private idioms for standard terms. */
const banned = [
  ...['told', 'whoever', 'nobody', 'somebody', 'lever', 'levers', 'rig', 'rigs', 'heal', 'heals', 'healed'],
  ...['put down', 'puts down', 'get round', 'gets round', 'got round'],
  ...['hand over', 'hands over', 'handed over', 'handover'],
  'can not',
];

/** The stream's field keeps its name, because pages and services of two releases meet. */
const fieldOfTheStream = 'a field of GET /live/events';
const exceptions: [file: string, word: string, reason: string][] = [
  ['payment-service/src/live/snapshot.ts', 'levers', fieldOfTheStream],
  ['payment-service/src/live/page/main.js', 'levers', fieldOfTheStream],
  ['payment-service/src/live/page/provider-card.js', 'levers', fieldOfTheStream],
  ['payment-service/src/live/page/sandbox-controls.js', 'levers', fieldOfTheStream],
  ['payment-service/test/live/live.test.ts', 'levers', fieldOfTheStream],
  ['test/live-page-truth.test.ts', 'levers', fieldOfTheStream],
  ['payment-service/src/store/postgres/migrations/001-payments.sql', 'can not', 'a migration stays as it is'],
  ['test/postgres-server.ts', 'nobody', 'the user of that name on every Linux'],
];

/** Not CONTRIBUTING.md, which lists the words. */
const files = [
  '{test,bench,scripts,ops,*/src,*/test}/**/*.{ts,js,sql,sh,html,css}',
  '{README,SECURITY}.md',
  'docs/**/*.md',
];
const notOurs = ['**/node_modules/**', 'test/output/**'];
const own = 'test/words.test.ts';

/**
 * Finds banned words as whole words, each with its line. Identifiers are split into their words (camelCase, snake_case, kebab-case),
 * and a phrase may continue in the next line of a comment.
 */
function bannedWords(text: string): [line: number, word: string][] {
  const found: [line: number, word: string][] = [];
  let before = { word: '', end: 0 };
  for (const { 0: part, index } of text.matchAll(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)) {
    const word = part.toLowerCase();
    const isAdjacent = /^[\s_*/#-]*$/.test(text.slice(before.end, index));
    const line = text.slice(0, index).split('\n').length;
    const candidates = isAdjacent ? [word, `${before.word} ${word}`] : [word];
    found.push(
      ...candidates.filter((each) => banned.includes(each)).map((each) => [line, each] as [number, string]),
    );
    before = { word, end: index + part.length };
  }
  return found;
}

test.each([
  ['// it is\n// told', [[2, 'told']]],
  ["const text = 'Nobody knows';", [[1, 'nobody']]],
  [
    'handOver(get_round, "no-levers", TOLD)',
    [
      [1, 'hand over'],
      [1, 'get round'],
      [1, 'levers'],
      [1, 'told'],
    ],
  ],
  ['/**\n * Puts\n * down\n */', [[3, 'puts down']]],
  ['leverage, bold, get(round), hand in hand, over there', []],
])('given %j, finds %j', (text, expected) => expect(bannedWords(text)).toEqual(expected));

test('given the sources and the documents, finds no banned word but the exceptions, and uses each exception', async () => {
  const unused = new Set(exceptions);
  const found: string[] = [];
  for await (const file of glob(files, { exclude: notOurs })) {
    if (file === own) continue;
    for (const [line, word] of bannedWords(await readFile(file, 'utf8'))) {
      const exception = exceptions.find((each) => each[0] === file && each[1] === word);
      if (exception) unused.delete(exception);
      else found.push(`${file}:${line}: ${word}`);
    }
  }
  expect(found).toEqual([]);
  expect([...unused]).toEqual([]);
});

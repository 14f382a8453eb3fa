import fc from 'fast-check';
import { expect, test } from 'vitest';
import { repeatedName as findRepeatedName } from '../../src/http/repeated-name.ts';

const repeatedName = (json: string) => findRepeatedName(json, JSON.parse(json));

test.each([
  ['{"a":1,"a":2}', 'a'],
  ['{"a":1,"b":{"c":1},"a":2}', 'a'],
  ['[{"b":[{"c":1,"c":1}]}]', 'c'],
  ['{"a":1,"\\u0061":2}', 'a'],
  ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ['{"1":1,"0":2,"1":3}', '1'],
  ['{"":1,"":2}', ''],
  ['{ "a" : 1 ,\n\t"a"\r\n:2}', 'a'],
  ['{"a\\\\":1,"a\\\\":2}', 'a\\'],
  ['{"a\\"":1,"a\\"":2}', 'a"'],
  ['{"ñ":1,"ñ":2}', 'ñ'],
  ['{"x":"\\":","a":1,"a" :2}', 'a'],
  ['{"x":"\\" :","b":[1,{"a":1,"a":2}]}', 'a'],
])('given %s, finds %j', (json, name) => {
  expect(repeatedName(json)).toBe(name);
});

test.each([
  '{"a":{"a":1},"b":{"a":1}}',
  '[{"a":1},{"a":1}]',
  '{"a":"b","b":"a"}',
  '{"a":"\\",\\"a\\":{"}',
  '{"a":["a","a"],"b":"a:"}',
  '{"a":1,"A":2}',
  '{"a":"\\\\","b":"{\\"b\\":1"}',
  '"a"',
  '1',
])('given %s, finds none', (json) => {
  expect(repeatedName(json)).toBeUndefined();
});

test('given any JSON without repetitions, finds none; with one, at any place, finds it', () => {
  const names = fc.oneof(
    fc.constantFrom('a', '"', '\\', '{', ':', '__proto__', '😀', '\ud800', '\0'),
    fc.string(),
  );
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(value, names, fc.nat(), fc.constantFrom(undefined, 1), (before, name, where, indent) => {
      const json = JSON.stringify(before, null, indent);
      expect(repeatedName(json)).toBeUndefined();
      const marked = JSON.stringify({ before: [before], twice: 'mark' }, null, indent);
      const key = JSON.stringify(name);
      const object =
        where % 2 === 0 ? `{${key}:0,"other ${where}":[${json}],${key}:1}` : `[{${key} :1, ${key} :2}]`;
      expect(repeatedName(marked.replace('"mark"', () => object))).toBe(name);
    }),
  );
});

test('given names nested ten thousand deep, does not overflow', () => {
  expect(repeatedName(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)).toBeUndefined();
});

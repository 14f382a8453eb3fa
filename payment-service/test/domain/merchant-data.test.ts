import { expect, test } from 'vitest';
import { metadataSchema, referenceSchema } from '../../src/domain/merchant-data.ts';

const issuesOf = (schema: typeof metadataSchema | typeof referenceSchema, value: unknown) =>
  (schema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

test.each(['o', 'order-1042', 'pedido ñ 7', 'x'.repeat(255)])('the reference %j is allowed', (reference) => {
  expect(referenceSchema.parse(reference)).toBe(reference);
});

test.each([
  ['', ': must not be empty'],
  ['   ', ': must not be blank'],
  ['\u2800', ': must not be blank'],
  ['x'.repeat(256), ': must have at most 255 characters'],
  ['a\u0000', ': must not contain control or invisible characters'],
  ['a\nb', ': must not contain control or invisible characters'],
  ['a\u200bb', ': must not contain control or invisible characters'],
  ['a\ud800', ': must not contain control or invisible characters'],
])('the reference %j is refused: %s', (reference, issue) => {
  expect(issuesOf(referenceSchema, reference)).toContain(issue);
});

const entries = (count: number, value = '') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`name-${index}`, value]));

test.each([
  [{}],
  [{ shop: 'Chapinero', note: 'two\nlines', empty: '' }],
  [entries(20)],
  [{ n: 'x'.repeat(2047) }],
  [{ ñ: 'é'.repeat(1023) }],
  [{ constructor: 'x' }],
])('the metadata %j are allowed', (metadata) => {
  expect(metadataSchema.parse(metadata)).toEqual(metadata);
});

test.each<[unknown, string]>([
  [{ a: { b: 'c' } }, 'a: must be a string'],
  [{ a: 1 }, 'a: must be a string'],
  [{ a: null }, 'a: must be a string'],
  [{ a: ['b'] }, 'a: must be a string'],
  [{ a: 'b\u0000' }, 'a: must not contain control characters'],
  [JSON.parse('{"__proto__":"x"}'), '__proto__: must have another name'],
  [entries(21), ': must have at most 20 entries'],
  [{ n: 'x'.repeat(2048) }, ': must have at most 2048 bytes in its names and values together'],
  [{ ñ: 'é'.repeat(1024) }, ': must have at most 2048 bytes in its names and values together'],
])('the metadata %j are refused: %s', (metadata, issue) => {
  expect(issuesOf(metadataSchema, metadata)).toContain(issue);
});

test.each(['text', ['list'], 1, null])('the metadata %j, which are no object, are refused', (metadata) => {
  expect(metadataSchema.safeParse(metadata).success).toBe(false);
});

test.each(['', 'a\u200b', 'a\nb'])('metadata with the name %j are refused', (name) => {
  expect(metadataSchema.safeParse({ [name]: 'x' }).success).toBe(false);
});

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import '../../src/http/validation-messages.ts';

const messages = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ message }) => message);

const day = new Date('2026-01-01T00:00:00Z');
const shapes = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('a') }),
  z.object({ kind: z.literal('b') }),
]);

describe('a schema without messages of its own', () => {
  test.each<[message: string, schema: z.ZodType, value: unknown]>([
    ['is required', z.string(), undefined],
    ['must be a string', z.string(), 1],
    ['must be a number', z.number(), '1'],
    ['must be a finite number', z.number(), Number.NaN],
    ['must be a finite number', z.number(), Number.POSITIVE_INFINITY],
    ['must be a whole number', z.int(), 1.5],
    ['must be a whole number', z.number().int(), 1.5],
    ['must be a whole number', z.bigint(), 1],
    ['must be true or false', z.boolean(), 'true'],
    ['must be an object', z.object({}), 1],
    ['must be an object', z.object({}), null],
    ['must be an object', z.object({}), []],
    ['must be an object', z.record(z.string(), z.string()), 1],
    ['must be an array', z.array(z.string()), {}],
    ['must be an array', z.tuple([z.string()]), {}],
    ['must be a date', z.date(), '2026-01-01'],
    ['must be a date', z.date(), new Date(Number.NaN)],
    ['must be null', z.null(), 1],
    ['must be absent', z.never(), 1],
    ['must be absent', z.undefined(), 1],

    ['must be at most 1', z.number().max(1), 2],
    ['must be at least 0', z.number().min(0), -1],
    ['must be less than 1', z.number().lt(1), 1],
    ['must be more than 0', z.number().positive(), 0],
    ['must be at most 9007199254740991', z.int(), 2 ** 53],
    ['must be at most 1', z.bigint().max(1n), 2n],
    ['must have at most 40 characters', z.string().max(40), 'x'.repeat(41)],
    ['must have at least 1 character', z.string().min(1), ''],
    ['must have exactly 2 characters', z.string().length(2), 'x'],
    ['must have at most 1 element', z.array(z.string()).max(1), ['', '']],
    ['must have at least 2 elements', z.array(z.string()).min(2), ['']],
    ['must have at least 2 elements', z.set(z.string()).min(2), new Set()],
    ['must have at least 2 elements', z.map(z.string(), z.string()).min(2), new Map()],
    ['must be at the latest 2026-01-01T00:00:00.000Z', z.date().max(day), new Date('2026-01-02')],
    ['must be at the earliest 2026-01-01T00:00:00.000Z', z.date().min(day), new Date('2025-12-31')],
    ['must be a multiple of 5', z.number().multipleOf(5), 7],

    ['must match /^a+$/', z.string().regex(/^a+$/), 'secret'],
    ['must begin with AC', z.string().startsWith('AC'), 'secret'],
    ['must end with Z', z.string().endsWith('Z'), 'secret'],
    ['must contain @', z.string().includes('@'), 'secret'],
    ['must be a URL', z.url(), 'secret'],
    ['must be an e-mail address', z.email(), 'secret'],
    ['must be a UUID', z.uuid(), 'secret'],
    ['must be a time such as 2026-01-31T12:00:00Z (RFC 3339)', z.iso.datetime(), 'secret'],
    ['must be of the format ulid', z.ulid(), 'secret'],

    ['must be a', z.literal('a'), 'secret'],
    ['must be one of a, b', z.enum(['a', 'b']), 'secret'],
    ['is not a known field', z.strictObject({}), { x: 1 }],
    ['must be a string, or must be a number', z.union([z.string(), z.number()]), true],
    ['a must be a string, or must be null', z.union([z.object({ a: z.string() }), z.null()]), { a: 1 }],
    ['must be one of a, b', shapes, { kind: 'secret' }],
    ['must match exactly one of its forms', z.xor([z.string(), z.string().max(9)]), 'secret'],
    [
      'has a name that must have at most 3 characters',
      z.record(z.string().max(3), z.string()),
      { secret: '' },
    ],
    ['has an element that must be a string', z.map(z.object({}), z.string()), new Map([[{}, 1]])],
    ['must meet the rules of this field', z.string().refine(() => false), 'secret'],
  ])('says "%s", and does not quote the value', (message, schema, value) => {
    expect(messages(schema, value)).toEqual([message]);
    expect(message).not.toMatch(/secret|valid/);
  });
});

import * as fc from 'fast-check';
import type { JsonSchema } from './operations.ts';

/** One in `of` of the values is an unusual one. */
export const seldom = <T, U>(
  of: number,
  usual: fc.Arbitrary<T>,
  unusual: fc.Arbitrary<U>,
): fc.Arbitrary<T | U> => fc.oneof({ weight: of - 1, arbitrary: usual }, { weight: 1, arbitrary: unusual });

/** No number that a setting of a sandbox takes, because its faults would be answered with a 5xx. */
const hostileNumbers = [-1, -0.5, 1.5, 1e21, 2 ** 53, Number.MAX_VALUE];

const hostileStrings = [
  '',
  ' ',
  'null',
  '\0',
  '\u001b[31m',
  '\u202e\u2066',
  '\ud800',
  '\ufeff',
  '\u00e9e\u0301',
  '../../etc/passwd',
  "'; DROP TABLE payments; --",
  '__proto__',
  '3001234567.0',
  '\u0663\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667',
  '9'.repeat(400),
  '1e400',
  '\u{1f4a5}'.repeat(900),
  'a'.repeat(5000),
];

const hostileText = fc.oneof(
  fc.constantFrom(...hostileStrings),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, [], {}, [[]], { a: { b: [null] } }, ['x', 1]),
  fc.constantFrom(...hostileNumbers),
  hostileText,
);

/** Mostly a value that fits the schema. */
export const mostlyFitting = (schema: JsonSchema): fc.Arbitrary<unknown> =>
  seldom(12, fittingValue(schema), hostileValue);

/** Mostly a text that fits the schema, for paths, queries and headers. */
export const textOf = (schema: JsonSchema): fc.Arbitrary<string> =>
  seldom(7, fittingValue(schema).map(String), hostileText);

function fittingValue({ type, ...schema }: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(mostlyFitting));
  if (schema.properties) return objectOf(schema.properties, schema.required);
  if (schema.example !== undefined) return fc.constant(schema.example);
  if (type === 'null') return fc.constant(null);
  if (type === 'number' || type === 'integer') return fc.constant(schema.minimum ?? 1);
  return fc.constantFrom('x', '123', 'ñandú 42');
}

/** Mostly with the names that are required, and seldom with one that is unknown. */
function objectOf(properties: Record<string, JsonSchema>, required: string[] = []): fc.Arbitrary<unknown> {
  const model = Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, mostlyFitting(each)]),
  );
  const unknown = fc.dictionary(fc.constantFrom('more', '__proto__', 'constructor', ''), hostileValue, {
    noNullPrototype: true,
  });
  return fc.oneof(
    { weight: 8, arbitrary: fc.record(model, { requiredKeys: required, noNullPrototype: true }) },
    { weight: 1, arbitrary: fc.record(model, { requiredKeys: [], noNullPrototype: true }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.record(model, { noNullPrototype: true }), unknown)
        .map(([known, more]) => ({ ...known, ...more })),
    },
  );
}

import type { z } from 'zod';
import type { JsonSchema, Schemas } from './openapi-schemas.ts';

/** A media type of a request's or a response's body, with an example. */
export function describeMedia(
  body: z.ZodType,
  io: 'input' | 'output',
  schemas: Schemas,
  example?: unknown,
): { schema: JsonSchema; example: unknown } {
  const schema = schemas.describe(body, io);
  return { schema, example: example ?? exampleOf(schema, schemas.resolve) };
}

/** Returns the schema that a reference names. */
type Resolve = (ref: string) => JsonSchema;

/**
 * An example of what a schema describes: its own, or one that is made of those of its parts. A property that may be absent is part
 * of it if it has an example of its own.
 *
 * @returns undefined for a text without an example
 */
function exampleOf(schema: JsonSchema, resolve: Resolve): unknown {
  const { example, $ref, anyOf, oneOf, properties, items } = schema;
  const [one] = [example, schema.const, schema.enum?.[0], schema.default].filter(
    (each) => each !== undefined,
  );
  if (one !== undefined) return one;
  if ($ref !== undefined) return exampleOf(resolve($ref), resolve);
  const [first] = anyOf ?? oneOf ?? [];
  if (first) return exampleOf(first as JsonSchema, resolve);
  if (properties) return exampleOfObject(schema, resolve);
  if (items) return [exampleOf(items as JsonSchema, resolve)];
  return exampleOfType(schema);
}

function exampleOfObject({ properties = {}, required = [] }: JsonSchema, resolve: Resolve): unknown {
  const shown = Object.entries(properties as Record<string, JsonSchema>).filter(
    ([name, each]) => required.includes(name) || each.example !== undefined,
  );
  return Object.fromEntries(shown.map(([name, each]) => [name, exampleOf(each, resolve)]));
}

function exampleOfType({ type: types, format, minimum }: JsonSchema): unknown {
  const [type] = [types].flat(); // `null` is the last one
  if (format === 'date-time') return '2026-01-31T17:00:00.000Z';
  if (type === 'number' || type === 'integer') return minimum ?? 0;
  if (type === 'boolean') return false;
  return type === 'object' ? {} : undefined;
}

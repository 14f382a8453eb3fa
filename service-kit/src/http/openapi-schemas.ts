import { z } from 'zod';

/** A JSON Schema (2020-12), as OpenAPI 3.1 has it. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const componentPath = '#/components/schemas/';

export interface Schemas {
  /** The JSON Schema of what a request has, or a response; one with an id is a reference to the component of that name. */
  describe: (schema: z.ZodType, io: 'input' | 'output') => JsonSchema;
  /** Returns the component that a reference names. */
  resolve: (ref: string) => JsonSchema;
  /** The named schemas of all that was described, in the order of their names. */
  components: () => Record<string, JsonSchema>;
}

/** The schemas of a document. Those with an `id` (`.meta({ id })`) are described once. */
export function createSchemas(): Schemas {
  const named = new Map<string, JsonSchema>();

  /** @throws Error if another schema has this name; it may differ between a request and a response */
  function name(id: string, schema: JsonSchema): void {
    const known = named.get(id);
    if (known && JSON.stringify(known) !== JSON.stringify(schema))
      throw new Error(`two different schemas have the id ${id}`);
    named.set(id, schema);
  }

  return {
    describe(schema, io) {
      const { $schema: _, $defs = {}, ...own } = inComponents(z.toJSONSchema(schema, { ...options, io }));
      for (const [id, each] of Object.entries($defs)) name(id, each as JsonSchema);
      return own;
    },
    resolve: (ref) => named.get(ref.slice(componentPath.length)) ?? {},
    components: () => Object.fromEntries([...named].toSorted(([one], [other]) => (one < other ? -1 : 1))),
  };
}

const inComponents = (schema: JsonSchema): JsonSchema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', `"${componentPath}`));

const options = {
  unrepresentable: 'any',
  override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }) {
    const { def } = zodSchema._zod;
    // A later release may return more fields. A strict schema refuses them.
    if (def.type === 'object' && !def.catchall) delete jsonSchema.additionalProperties;
    delete jsonSchema.id; // its name is that of the component
    delete jsonSchema.form; // for the pages of the settings
    keepRealBounds(jsonSchema);
    keepPortablePatterns(jsonSchema);
  },
} as const;

/** Without those that zod gives any integer. */
function keepRealBounds(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

/** What the regular expressions of other languages, such as Python's `re`, do not have: Unicode properties. */
const notPortable = /\\[pP]\{/;

/** A format has no pattern besides it, nor has what is described as another type than the text that it is read from. */
function keepPortablePatterns(schema: JsonSchema): void {
  const isText = schema.type === 'string' && schema.format === undefined;
  const keeps = (pattern?: string) => isText && pattern !== undefined && !notPortable.test(pattern);
  if (!keeps(schema.pattern)) delete schema.pattern;
  // Several patterns of one text.
  if (!schema.allOf?.every(({ pattern }) => pattern !== undefined)) return;
  const patterns = schema.allOf.flatMap(({ pattern }) => (pattern && keeps(pattern) ? [pattern] : []));
  delete schema.allOf;
  const [pattern, ...more] = patterns;
  if (pattern !== undefined) schema.pattern = pattern;
  if (more.length > 0) schema.allOf = more.map((each) => ({ pattern: each }));
}

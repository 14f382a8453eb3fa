import { call } from '../http.ts';

/** The part of a JSON Schema that the routes use. */
export interface JsonSchema {
  type?: string | string[];
  enum?: unknown[];
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  minimum?: number;
  example?: unknown;
}

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: JsonSchema;
  example?: unknown;
}

export interface Operation {
  method: string;
  /** With its parameters in braces. */
  path: string;
  parameters: Parameter[];
  body?: JsonSchema;
}

interface Document {
  paths: Record<string, Record<string, DocumentedOperation>>;
  components: { schemas: Record<string, JsonSchema> };
}

interface DocumentedOperation {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
}

/** Not in the documents: files, metrics, the document itself, and what no route has. */
const undocumented = [
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/static/swagger-ui.css',
  '/docs/static/{file}',
  '/live/main.js',
  '/live/{file}',
  '/{nothing}',
];

/** Every route of a service, read from its own OpenAPI document, so that a new route is tried without being listed here. */
export async function operationsOf(url: string): Promise<Operation[]> {
  const { body } = await call<Document>('GET', `${url}/openapi.json`);
  const documented = Object.entries(withoutReferences(body).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => {
      const schema = requestBody?.content['application/json']?.schema;
      return {
        method: method.toUpperCase(),
        path,
        parameters: parameters.map(withoutFaults),
        ...(schema && { body: schema }),
      };
    }),
  );
  return [...documented, ...undocumented.map(undocumentedOperation)];
}

/** With the named schemas where a `$ref` stands for them. */
function withoutReferences({ paths, components: { schemas } }: Document): Pick<Document, 'paths'> {
  const resolve = (_key: string, value: unknown): unknown => {
    const { $ref = '', ...beside } = (value ?? {}) as { $ref?: string };
    const name = $ref.split('/').at(-1) ?? '';
    return $ref.startsWith('#/components/schemas/') ? { ...schemas[name], ...beside } : value;
  };
  return JSON.parse(JSON.stringify({ paths }, resolve));
}

/** The example is half of all sends, which would be answered with a 5xx. */
const withoutFaults = (parameter: Parameter): Parameter =>
  parameter.name === 'failure_rate' ? { ...parameter, example: 0 } : parameter;

const undocumentedOperation = (path: string): Operation => ({
  method: 'GET',
  path,
  parameters: Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', example: 'swagger-ui.css' },
  })),
});

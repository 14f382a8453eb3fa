import { spawnSync } from 'node:child_process';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { openApiDocuments } from '../scripts/openapi-documents.ts';

/** What each document has to say of each of its operations. `npm run check:openapi` holds that it is valid OpenAPI. */

interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { $ref: string }>;
}

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  security: Record<string, string[]>[];
  parameters?: { name: string; schema: object; example?: unknown }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}

interface Document {
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: object; examples: Record<string, { value: unknown }> };
}

const documents = (await openApiDocuments()) as Record<string, Document>;

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ at: `${method} ${path}`, ...operation })),
  );

/** All values with this name, however deep. */
function* valuesOf(name: string, node: unknown): Generator<unknown> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === name) yield value;
    yield* valuesOf(name, value);
  }
}

describe.each(Object.entries(documents))('the document of %s', (_name, document) => {
  const operations = operationsOf(document);

  test('gives each operation an id of its own, a tag of the list and a summary', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
    expect(ids.toSorted()).toEqual([...new Set(ids)].toSorted());
    const tags = new Set(document.tags.map(({ name }) => name));
    expect(operations.filter((operation) => operation.tags?.length !== 1)).toEqual([]);
    expect(operations.filter((operation) => !tags.has(operation.tags[0] ?? ''))).toEqual([]);
    expect(operations.filter(({ summary }) => !summary)).toEqual([]);
  });

  test('has an example of each request and of each response, which match their schemas', () => {
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    ajv.addSchema({ $id: 'document', ...document });
    const faults: string[] = [];
    const check = (at: string, { schema, example, examples }: Media) => {
      const named = Object.values(examples ?? {}).map(
        ({ $ref }) => document.components.examples[$ref.split('/').at(-1) ?? '']?.value,
      );
      const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')));
      for (const each of examples ? named : [example])
        if (!validate(each)) faults.push(`${at}: ${ajv.errorsText(validate.errors)}`);
    };
    for (const { at, requestBody, responses } of operations) {
      for (const media of Object.values(requestBody?.content ?? {})) check(`${at} request`, media);
      for (const [status, { content }] of Object.entries(responses))
        for (const media of Object.values(content ?? {})) check(`${at} ${status}`, media);
    }
    expect(faults).toEqual([]);
  });

  test('has no bounds of an integer that are only those of a double', () => {
    const bounds = [...valuesOf('minimum', document), ...valuesOf('maximum', document)];
    expect(bounds.filter((bound) => Math.abs(bound as number) >= Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  const hasPython = spawnSync('python3', ['--version']).status === 0;
  test.skipIf(!hasPython)("has patterns that Python's `re` reads", () => {
    const patterns = [...valuesOf('pattern', document)];
    expect(patterns).not.toEqual([]);
    const program = 'import json, re, sys; [re.compile(each) for each in json.load(sys.stdin)]';
    const { status, stderr } = spawnSync('python3', ['-c', program], { input: JSON.stringify(patterns) });
    expect(String(stderr)).toBe('');
    expect(status).toBe(0);
  });
});

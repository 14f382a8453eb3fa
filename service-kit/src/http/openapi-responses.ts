import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { describeMedia } from './openapi-example.ts';
import type { Schemas } from './openapi-schemas.ts';

/** A response of a route, where a schema alone does not say enough. */
export interface DocumentedResponse {
  description?: string;
  /** Of each header the schema of its value, with a description. */
  headers?: Record<string, z.ZodType>;
  content?: Record<string, { schema: z.ZodType; example?: unknown }>;
}

/** For OpenAPI: a response in JSON with headers of its own, or an example other than that of its schema. */
export const jsonResponse = <Schema extends z.ZodType>(
  schema: Schema,
  { example, ...more }: Pick<DocumentedResponse, 'description' | 'headers'> & { example?: unknown },
) => ({ ...more, content: { 'application/json': { schema, example } } });

/** The headers that any response may have, which the document describes once. */
const commonHeaders: Record<string, z.ZodType> = {
  'x-request-id': z.string().meta({
    description: 'The id of the request, as the log has it: that which the request came with, or a new one',
    example: '6f1c7a4e-3f0b-4f43-9a55-0c1f6a2d9b1e',
  }),
};

export const describeCommonHeaders = (schemas: Schemas) =>
  mapValues(commonHeaders, (schema) => describeHeader(schema, schemas));

export function describeResponses(
  response: Record<string, z.ZodType | DocumentedResponse>,
  schemas: Schemas,
) {
  return mapValues(response, (each, status) => {
    const { description, headers = {}, content } = each instanceof z.ZodType ? inJson(each) : each;
    return {
      description: description ?? STATUS_CODES[status],
      headers: {
        'x-request-id': { $ref: '#/components/headers/x-request-id' },
        ...mapValues(headers, (schema) => describeHeader(schema, schemas)),
      },
      content:
        content &&
        mapValues(content, ({ schema, example }) => describeMedia(schema, 'output', schemas, example)),
    };
  });
}

/** A response without a body has the schema `undefined`. */
const inJson = (schema: z.ZodType): DocumentedResponse => ({
  ...(schema.description !== undefined && { description: schema.description }),
  ...(!(schema instanceof z.ZodUndefined) && { content: { 'application/json': { schema } } }),
});

function describeHeader(header: z.ZodType, schemas: Schemas) {
  const { description, example, ...schema } = schemas.describe(header, 'output');
  return { description, schema, example };
}

const mapValues = <T, U>(record: Record<string, T>, map: (value: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));

import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { mapValues } from './map-values.ts';
import { describeMedia } from './openapi-example.ts';
import { describeHeader, usualHeaders } from './openapi-headers.ts';
import { describeProblems } from './openapi-problems.ts';
import type { Schemas } from './openapi-schemas.ts';
import type { ProblemKinds } from './problem.ts';

/** A response of a route, where a schema alone does not say enough. */
export interface DocumentedResponse {
  description?: string;
  /** Of each header field the schema of its value, with a description. */
  headers?: Record<string, z.ZodType>;
  content?: Record<string, { schema: z.ZodType; example?: unknown }>;
  /** The problems, one of which it is. They describe all of it. */
  problems?: ProblemKinds;
}

/** By status. */
export type DocumentedResponses = Record<string, z.ZodType | DocumentedResponse>;

/** For OpenAPI: a response in JSON with headers of its own, or an example other than that of its schema. */
export const jsonResponse = <Schema extends z.ZodType>(
  schema: Schema,
  { example, ...more }: Pick<DocumentedResponse, 'description' | 'headers'> & { example?: unknown },
) => ({ ...more, content: { 'application/json': { schema, example } } });

/** @param isLimited whether the requests of a client are counted */
export const describeResponses = (responses: DocumentedResponses, isLimited: boolean, schemas: Schemas) =>
  mapValues(responses, (each, status) => {
    const response = each instanceof z.ZodType ? inJson(each) : each;
    const { description = STATUS_CODES[status], headers = {}, content, problems } = response;
    const usual = usualHeaders(status, isLimited);
    if (problems) {
      const described = describeProblems(problems, schemas);
      return { ...described, headers: { ...usual, ...described.headers } };
    }
    return {
      description,
      headers: {
        ...usual,
        ...mapValues(headers, (schema) => describeHeader(schema, schemas)),
      },
      content:
        content &&
        mapValues(content, ({ schema, example }) => describeMedia(schema, 'output', schemas, example)),
    };
  });

/** A response without a body has the schema `undefined`. */
const inJson = (schema: z.ZodType): DocumentedResponse => ({
  ...(schema.description !== undefined && { description: schema.description }),
  ...(!(schema instanceof z.ZodUndefined) && { content: { 'application/json': { schema } } }),
});

import type { RouteOptions } from 'fastify';
import type { z } from 'zod';
import { mapValues } from './map-values.ts';
import { describeMedia } from './openapi-example.ts';
import { commonProblems } from './openapi-problems.ts';
import { type DocumentedResponse, type DocumentedResponses, describeResponses } from './openapi-responses.ts';
import type { JsonSchema, Schemas } from './openapi-schemas.ts';
import type { ProblemKinds } from './problem.ts';

declare module 'fastify' {
  interface FastifySchema {
    /** For OpenAPI: what the route reads itself, so that Fastify does not validate it. */
    reads?: { querystring?: z.ZodType; form?: z.ZodType };
  }
}

/** What the schema of a route says of it. */
interface RouteSchema {
  operationId?: string;
  tags?: readonly string[];
  summary?: string;
  description?: string;
  params?: z.ZodType;
  querystring?: z.ZodType;
  headers?: z.ZodType;
  body?: z.ZodType;
  reads?: { querystring?: z.ZodType; form?: z.ZodType };
  response?: DocumentedResponses;
}

/** The operation that a route is in an OpenAPI document, and the problems that its responses may be. */
export function describeOperation(route: RouteOptions, schemas: Schemas) {
  const {
    operationId,
    tags,
    summary,
    description,
    response = {},
    ...request
  } = (route.schema ?? {}) as RouteSchema;
  const responses = withCommonProblems(response, route);
  const access = route.config?.access ?? ['admin'];
  const operation = {
    operationId,
    tags,
    summary,
    description,
    security: access === 'anyone' ? [] : access.map((role) => ({ key: [role] })), // one of them is enough
    parameters: parametersOf(request, schemas),
    requestBody: requestBodyOf(request, schemas),
    responses: describeResponses(responses, access.includes('client'), schemas),
  };
  return {
    operation,
    problems: Object.assign({}, ...Object.values(responses).map(problemsOf)) as ProblemKinds,
  };
}

const problemsOf = (response: DocumentedResponses[string] | undefined): ProblemKinds =>
  (response && 'problems' in response && response.problems) || {};

/** Those of a route stand before the others of their status. */
function withCommonProblems(own: DocumentedResponses, route: RouteOptions): DocumentedResponses {
  const common = mapValues<DocumentedResponse, DocumentedResponse>(
    commonProblems(route),
    ({ problems }, status) => ({
      problems: { ...problemsOf(own[status]), ...problems },
    }),
  );
  return { ...own, ...common };
}

const places = [
  ['params', 'path'],
  ['querystring', 'query'],
  ['headers', 'header'],
] as const;

function parametersOf({ reads, ...request }: RouteSchema, schemas: Schemas) {
  const parameters = places.flatMap(([part, place]) => {
    const schema = { ...request, ...reads }[part];
    if (!schema) return [];
    const { properties = {}, required = [] } = schemas.describe(schema, 'input');
    return Object.entries(properties as Record<string, JsonSchema>).map(
      ([name, { description, example, ...each }]) => ({
        name,
        in: place,
        required: required.includes(name),
        description,
        schema: each,
        example,
      }),
    );
  });
  return parameters.length > 0 ? parameters : undefined;
}

function requestBodyOf({ body, reads: { form } = {} }: RouteSchema, schemas: Schemas) {
  if (form)
    return {
      required: true,
      content: { 'application/x-www-form-urlencoded': describeMedia(form, 'input', schemas) },
    };
  if (!body) return undefined;
  return {
    required: !body.safeParse(undefined).success,
    content: { 'application/json': describeMedia(body, 'input', schemas) },
  };
}

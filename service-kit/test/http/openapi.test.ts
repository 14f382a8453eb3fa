import type { FastifyContextConfig, FastifySchema } from 'fastify';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { httpProblem, httpProblems } from '../../src/http/http-problems.ts';
import { jsonResponse } from '../../src/http/openapi-responses.ts';
import { problemContentType, problemResponses } from '../../src/http/problem.ts';
import type { Server } from '../../src/http/types.ts';
import { buildTestServer } from './fixture.ts';

const documentOf = async (server: Server) => (await server.inject('/openapi.json')).json();

/** The operation that a route with this schema is, and the components of its document. */
async function describeRoute(schema: FastifySchema, config = {}) {
  const { server } = await buildTestServer();
  server.post('/things/:thing', { schema, config }, async () => ({}));
  const { paths, components } = await documentOf(server);
  return { operation: paths['/things/{thing}'].post, schemas: components.schemas };
}

/** The schema of a body, as the document has it. */
async function describeBody(body: z.ZodType) {
  const { operation, schemas } = await describeRoute({ body });
  return { ...operation.requestBody.content['application/json'], schemas };
}

test('a document names the service, its licence, and a server at its own origin', async () => {
  const { server } = await buildTestServer();
  expect(await documentOf(server)).toMatchObject({
    openapi: '3.1.0',
    info: { title: 'Test service', version: '1.2.3', license: { identifier: 'MIT' } },
    servers: [{ url: '/' }],
  });
});

test('tags are listed in the given order, without those of no route', async () => {
  const { server } = await buildTestServer({ tags: { things: 'Things.', health: 'Health.', no: 'None.' } });
  server.get('/things', { schema: { tags: ['things'] } }, async () => ({}));
  expect((await documentOf(server)).tags).toEqual([
    { name: 'things', description: 'Things.' },
    { name: 'health', description: 'Health.' },
  ]);
});

test('a route is an operation with its id, its parameters, its body and its responses', async () => {
  const { operation } = await describeRoute({
    operationId: 'changeThing',
    params: z.object({ thing: z.string().meta({ description: 'Its name', example: 'one' }) }),
    querystring: z.strictObject({ dry: z.enum(['true']).optional() }),
    headers: z.object({ 'if-match': z.string() }),
    body: z.strictObject({ size: z.number() }).nullish(),
    response: { 204: z.undefined().meta({ description: 'It is changed' }) },
  });
  expect(operation).toMatchObject({
    operationId: 'changeThing',
    parameters: [
      { name: 'thing', in: 'path', required: true, description: 'Its name', example: 'one' },
      { name: 'dry', in: 'query', required: false, schema: { enum: ['true'] } },
      { name: 'if-match', in: 'header', required: true },
    ],
    requestBody: { required: false },
    responses: { 204: { description: 'It is changed' } },
  });
  expect(operation.responses['204']).not.toHaveProperty('content');
});

test.each([
  ['anyone', []],
  [
    ['client', 'admin'],
    [{ key: ['client'] }, { key: ['admin'] }],
  ],
  [undefined, [{ key: ['admin'] }]],
])('given a route for %j, an operation names the roles of its keys', async (access, security) => {
  expect((await describeRoute({}, { access })).operation.security).toEqual(security);
});

test('a form that a route reads itself is documented, and not validated', async () => {
  const { operation } = await describeRoute({
    reads: {
      querystring: z.object({ key: z.string() }),
      form: z.looseObject({ Body: z.string().meta({ example: 'STOP' }) }),
    },
  });
  expect(operation).toMatchObject({
    parameters: [{ name: 'key', in: 'query', required: true }],
    requestBody: {
      required: true,
      content: { 'application/x-www-form-urlencoded': { example: { Body: 'STOP' } } },
    },
  });
});

test('a response has the headers of its route and the id of the request', async () => {
  const { operation } = await describeRoute({
    response: {
      201: jsonResponse(z.object({ size: z.number() }), {
        headers: { location: z.string().meta({ description: 'Its path', example: '/things/one' }) },
        example: { size: 7 },
      }),
    },
  });
  expect(operation.responses['201']).toMatchObject({
    description: 'Created',
    headers: {
      location: { description: 'Its path', schema: { type: 'string' }, example: '/things/one' },
      'x-request-id': { $ref: '#/components/headers/x-request-id' },
    },
    content: { 'application/json': { example: { size: 7 } } },
  });
});

test('a schema with an id is a component, also where it may be null or has another description', async () => {
  const colour = z.enum(['red', 'blue']).meta({ id: 'Colour', description: 'A colour' });
  const { schema, schemas } = await describeBody(
    z.strictObject({
      front: colour,
      back: colour.nullable(),
      inside: colour.meta({ description: 'Inside' }),
      all: z.array(colour),
    }),
  );
  const $ref = '#/components/schemas/Colour';
  expect(schema.properties).toEqual({
    front: { $ref },
    back: { anyOf: [{ $ref }, { type: 'null' }] },
    inside: { $ref, description: 'Inside' },
    all: { type: 'array', items: { $ref } },
  });
  expect(schemas.Colour).toEqual({ type: 'string', enum: ['red', 'blue'], description: 'A colour' });
});

test('two different schemas with one id are refused', async () => {
  const { server } = await buildTestServer();
  const one = (body: z.ZodType) => ({ schema: { body } });
  server.post('/one', one(z.strictObject({ a: z.string() }).meta({ id: 'One' })), async () => ({}));
  server.post('/two', one(z.strictObject({ b: z.string() }).meta({ id: 'One' })), async () => ({}));
  await expect(server.ready().then(() => server.swagger())).rejects.toThrow('One');
});

test('an integer has the bounds that it is given, and no others', async () => {
  const { schema } = await describeBody(
    z.strictObject({ any: z.int(), some: z.number().int().min(3), bounded: z.int().max(7) }),
  );
  expect(schema.properties).toEqual({
    any: { type: 'integer' },
    some: { type: 'integer', minimum: 3 },
    bounded: { type: 'integer', maximum: 7 },
  });
});

test('a pattern is left out where a format says more, or where other languages could not read it', async () => {
  const { schema } = await describeBody(
    z.strictObject({
      at: z.iso.datetime(),
      name: z.string().regex(/^\p{L}+$/u),
      code: z
        .string()
        .regex(/^[a-z]+$/)
        .regex(/^\P{Cc}*$/u),
      both: z.string().regex(/^a/).regex(/b$/),
      limit: z.string().regex(/^\d+$/).transform(Number).meta({ type: 'integer' }),
    }),
  );
  expect(schema.properties).toEqual({
    at: { type: 'string', format: 'date-time' },
    name: { type: 'string' },
    code: { type: 'string', pattern: '^[a-z]+$' },
    both: { type: 'string', pattern: '^a', allOf: [{ pattern: 'b$' }] },
    limit: { type: 'integer' },
  });
});

test('a request refuses unknown fields, and a response may get new ones', async () => {
  const { operation } = await describeRoute({
    body: z.strictObject({}),
    response: { 200: z.object({}) },
  });
  expect(operation.requestBody.content['application/json'].schema.additionalProperties).toBe(false);
  expect(operation.responses['200'].content['application/json'].schema).not.toHaveProperty(
    'additionalProperties',
  );
});

test('an example is made of those of the fields, unless a schema has one of its own', async () => {
  const point = z.strictObject({ x: z.number(), y: z.int().min(2) });
  const { example } = await describeBody(
    z.strictObject({
      id: z.string().meta({ example: 'thing-1' }),
      kind: z.literal('thing'),
      at: z.iso.datetime().nullable(),
      weight: z.number().nullable(),
      ready: z.boolean(),
      points: z.array(point),
      centre: point.meta({ example: { x: 3, y: 4 } }),
      note: z.string().optional(),
      size: z.number().optional().meta({ example: 9 }),
    }),
  );
  expect(example).toEqual({
    id: 'thing-1',
    kind: 'thing',
    at: '2026-01-31T17:00:00.000Z',
    weight: 0,
    ready: false,
    points: [{ x: 0, y: 2 }],
    centre: { x: 3, y: 4 },
    size: 9,
  });
});

describe('the problems of every server', () => {
  const problems = { ...httpProblems, 'out-of-paper': { ...httpProblems.overloaded, meaning: 'No paper.' } };

  /** The names of the problems of each operation, by its method and path. */
  async function problemsOf(add: (server: Server) => void) {
    const { server } = await buildTestServer({ problems });
    add(server);
    const document = await documentOf(server);
    return (method: string, path: string) =>
      Object.values<{ content?: Record<string, { examples?: object }> }>(
        document.paths[path][method].responses,
      ).flatMap(({ content }) => Object.keys(content?.[problemContentType]?.examples ?? {}));
  }

  const always = [
    'invalid-request',
    'malformed-request',
    'misdirected-request',
    'internal-error',
    'stopping',
  ];
  const ofKeys = ['unauthorized', 'forbidden'];
  const ofBodies = ['cross-site', 'body-too-large', 'unsupported-media-type'];

  test.each<[string, string, FastifyContextConfig, string[]]>([
    ['get', '/things', { access: 'anyone' }, []],
    ['get', '/things', {}, ofKeys],
    ['get', '/things', { access: ['client'] }, [...ofKeys, 'too-many-requests']],
    ['get', '/things/:thing', { access: 'anyone' }, ['path-too-long']],
    ['post', '/things', { access: ['service'] }, [...ofKeys, ...ofBodies]],
  ])('given %s %s with %j, are those that can happen', async (method, url, config, expected) => {
    const namesOf = await problemsOf((server) => {
      server.route({ method, url, config, handler: async () => ({}) });
    });
    const names = namesOf(method, url.replace(':thing', '{thing}'));
    expect(names.toSorted()).toEqual([...always, 'overloaded', ...expected].toSorted());
  });

  test('leave out those of a limit that does not apply to checks of health', async () => {
    const namesOf = await problemsOf(() => {});
    expect(namesOf('get', '/health/ready')).not.toContain('overloaded');
    expect(namesOf('get', '/health/live')).not.toContain('stopping');
  });

  test('stand behind those of the route, each with its meaning, its headers and an example as it is sent', async () => {
    const { server } = await buildTestServer({ problems });
    const response = problemResponses(problems, 'out-of-paper');
    server.get('/things', { schema: { response }, config: { access: ['client'] } }, async () => {});
    const { paths, components } = await documentOf(server);
    const { description, headers, content } = paths['/things'].get.responses['503'];
    expect(description).toMatch(/^`out-of-paper`: No paper\.\n\n`stopping`: /);
    expect(Object.keys(headers)).toEqual(['x-request-id', 'ratelimit', 'ratelimit-policy', 'retry-after']);
    expect(content[problemContentType]).toEqual({
      schema: { $ref: '#/components/schemas/Problem' },
      examples: {
        'out-of-paper': { $ref: '#/components/examples/out-of-paper' },
        stopping: { $ref: '#/components/examples/stopping' },
        overloaded: { $ref: '#/components/examples/overloaded' },
      },
    });
    expect(components.examples.overloaded.value).toEqual(httpProblem('overloaded').document);
    expect(components.examples).not.toHaveProperty('range-not-satisfiable');
  });
});

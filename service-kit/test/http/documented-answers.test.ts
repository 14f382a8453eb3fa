import { expect, test } from 'vitest';
import { z } from 'zod';
import { createDocumentCheck, type Document } from '../../../test/documented-answers.ts';
import { httpProblem, httpProblems } from '../../src/http/http-problems.ts';
import { jsonResponse } from '../../src/http/openapi-responses.ts';
import { problemContentType, problemResponses } from '../../src/http/problem.ts';
import { buildTestServer } from './fixture.ts';

/** The check of answers finds what a document does not say; without that, the tests that use it could not fail. */

async function checkOfThings() {
  const { server } = await buildTestServer();
  const headers = { location: z.string().meta({ description: 'Its path', example: '/things/1' }) };
  const thing = z.object({ size: z.int() }).meta({ id: 'Thing' });
  const response = {
    200: thing,
    201: jsonResponse(z.object({ thing }), { headers }),
    204: z.undefined(),
    ...problemResponses(httpProblems, 'not-found'),
  };
  server.get('/things/:thing', { schema: { response } }, async () => ({ size: 1 }));
  const document = (await server.inject('/openapi.json')).json<Document>();
  const check = createDocumentCheck(document);
  return (status: number, body: unknown, more: Record<string, string> = {}) =>
    check({
      method: 'GET',
      url: '/things/1?all=true',
      status,
      headers: { 'content-type': 'application/json; charset=utf-8', ...more },
      body: body === undefined ? '' : JSON.stringify(body),
    });
}

const asProblem = { 'content-type': problemContentType };

test('an answer that the document has is without a fault', async () => {
  const check = await checkOfThings();
  expect(check(200, { size: 1 }, { 'x-request-id': 'a', 'cache-control': 'no-store' })).toEqual([]);
  expect(check(201, { thing: { size: 1 } }, { location: '/things/1' })).toEqual([]);
  expect(check(204, undefined)).toEqual([]);
  expect(check(404, httpProblem('not-found').document, asProblem)).toEqual([]);
  expect(check(405, httpProblem('method-not-allowed').document, asProblem)).toEqual([]);
});

test.each<[string, number, unknown, Record<string, string>, RegExp]>([
  ['another status', 202, { size: 1 }, {}, /^the status 202$/],
  ['another media type', 200, 'x', { 'content-type': 'text/plain' }, /^the media type text\/plain$/],
  ['another header field', 200, { size: 1 }, { location: '/' }, /^the header field location$/],
  ['a body without a field', 200, {}, {}, /size/],
  ['a body with a value of another type', 200, { size: '1' }, {}, /size/],
  ['a body with one more field', 201, { thing: { size: 1, colour: 'red' } }, {}, /additional/],
  ['a body where there is none', 204, { size: 1 }, {}, /^the media type application\/json$/],
  [
    'another problem',
    404,
    { ...httpProblem('not-found').document, type: '/problems/gone' },
    asProblem,
    /gone/,
  ],
])('%s is a fault', async (_what, status, body, headers, fault) => {
  expect((await checkOfThings())(status, body, headers)).toEqual([expect.stringMatching(fault)]);
});

import { expect, test } from 'vitest';
import { expectPages } from '../../../test/known-problems.ts';
import { httpProblems } from '../../src/http/http-problems.ts';
import { problemResponses } from '../../src/http/problem.ts';
import { buildTestServer } from './fixture.ts';

const problems = {
  ...httpProblems,
  'out-of-paper': {
    status: 503,
    detail: 'There is no paper.',
    meaning: 'A printer & <all> its trays are "empty".',
    remedy: 'Retry after the seconds in `Retry-After`.',
    headers: { 'retry-after': '60' },
  },
} as const;

test("each of a server's problems has a page at its type, and no other name has one", async () => {
  await expectPages((await buildTestServer()).server, httpProblems);
  await expectPages((await buildTestServer({ problems })).server, problems);
});

test('a page says what the problem means and what to do, as text and without scripts', async () => {
  const { server } = await buildTestServer({ problems });
  const { headers, body } = await server.inject('/problems/out-of-paper');
  expect(body).toContain('<title>out-of-paper · Test service</title>');
  expect(body).toContain('<p>503 Service Unavailable: There is no paper.</p>');
  expect(body).toContain('<p>A printer &amp; &lt;all&gt; its trays are &quot;empty&quot;.</p>');
  expect(body).toContain('<p>Retry after the seconds in <code>Retry-After</code>.</p>');
  expect(headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'sha256-[^']+'; base-uri/,
  );
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
});

test('the responses of a route are grouped by status, with each of its problems', () => {
  const responses = problemResponses(problems, 'stopping', 'not-found', 'out-of-paper');
  expect(Object.keys(responses)).toEqual(['404', '503']);
  expect(Object.keys(responses[503].problems)).toEqual(['stopping', 'out-of-paper']);
});

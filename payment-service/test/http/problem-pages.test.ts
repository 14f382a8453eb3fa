import { readFile } from 'node:fs/promises';
import { problemPath } from 'service-kit/http/problem.ts';
import { expect, test } from 'vitest';
import { expectPages } from '../../../test/known-problems.ts';
import { paymentProblems } from '../../src/delivery/problems.ts';
import { build } from '../fixture.ts';

test('each problem of payment-service has a page', async () => {
  await expectPages((await build()).app, paymentProblems);
});

test("each problem of the proxy in front has a page of payment-service's", async () => {
  const settings = await readFile('ops/nginx/nginx.conf', 'utf8');
  const types = settings.match(/(?<="type":")[^"]+/g) ?? [];
  expect(types).toContain('/problems/unanswered');
  expect(Object.keys(paymentProblems).map(problemPath)).toEqual(expect.arrayContaining(types));
});

import { test } from 'vitest';
import { expectPages } from '../../../test/known-problems.ts';
import { providerProblems } from '../../src/provider/provider-problems.ts';
import { buildFakeApp } from './fixture.ts';

test('each problem of a provider service has a page', async () => {
  await expectPages((await buildFakeApp()).app, providerProblems);
});

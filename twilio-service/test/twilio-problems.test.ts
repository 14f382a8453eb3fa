import { test } from 'vitest';
import { expectPages } from '../../test/known-problems.ts';
import { twilioProblems } from '../src/twilio-problems.ts';
import { startApp } from './fixture.ts';

test('each problem of twilio-service has a page', async () => {
  await expectPages((await startApp()).app, twilioProblems);
});

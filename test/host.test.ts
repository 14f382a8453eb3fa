import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call } from './http.ts';
import { isReady, spawnStart } from './npm-start.ts';

const run = promisify(execFile);
const healthCheck = 'service-kit/check-health.sh';

test.each([
  ['127.0.0.2', '127.0.0.2', '127.0.0.2'],
  ['::1', '[::1]', '[::1]'],
  ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
  ['::', '[::1]', '127.0.0.1'],
])('given HOST=%s, the services, npm start and the health check find them', async (HOST, listens, printed) => {
  const { urls, job } = await spawnStart('exec node scripts/start.js', {
    settings: { HOST, ALLOW_ANONYMOUS: 'true' },
  });
  let output = '';
  job.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  const at = (url: string, host: string) => url.replace('127.0.0.1', host);
  for (const url of Object.values(urls)) await eventually(() => isReady(at(url, listens)), Boolean, 30_000);

  const { status, body } = await call('POST', `${at(urls.payment, listens)}/payments`, {
    amount: 1,
    customer_id: 'host',
  });
  expect([status, body.notification_service]).toEqual([201, 'Aldeamo']);
  await eventually(
    async () => output,
    (text) =>
      text.includes(`${at(urls.payment, printed)}/docs`) && text.includes('a sandbox: no SMS is sent'),
    10_000,
  );
  const env = { HOST, PORT: new URL(urls.twilio).port };
  expect((await run('bash', [healthCheck], { env })).stdout).toBe('ready\n');
});

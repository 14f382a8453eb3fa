import { expect, test } from 'vitest';
import { shorten } from '../scripts/terminal-lines.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startJob } from './npm-start.ts';

const handled = {
  level: 30,
  time: 1,
  msg: 'notification handled',
  trace_id: 't',
  payment_id: 'pmt_1',
  provider: 'Twilio',
  outcome: 'accepted',
  reason: null,
  duration_ms: 312,
  notification_status: 'sent',
  next_attempt_at: null,
};
const refused = { provider: 'Aldeamo', outcome: 'not_sent', reason: 'sandbox_failure' };
const accepted = { provider: 'Twilio', outcome: 'accepted', reason: null };

test.each([
  ['sent at once', { attempts: [accepted] }, 'pmt_1  Twilio  ✓ sent  312 ms'],
  [
    'sent by the other provider',
    { attempts: [refused, accepted] },
    'pmt_1  Twilio  ✓ sent  312 ms  Aldeamo not_sent: sandbox_failure',
  ],
  [
    'refused for good',
    { notification_status: 'failed', provider: null, reason: 'expired', attempts: [] },
    'pmt_1  no provider  failed  312 ms  expired',
  ],
  [
    'sent at a retry',
    { retries: 1, attempts: [refused, { ...refused, provider: 'Twilio' }, accepted] },
    'pmt_1  Twilio  ✓ sent  312 ms  after 3 attempts, Aldeamo not_sent: sandbox_failure, Twilio not_sent: sandbox_failure',
  ],
  [
    'sent at a retry, before which one provider was called',
    { retries: 1, attempts: [refused, accepted] },
    'pmt_1  Twilio  ✓ sent  312 ms  after 2 attempts, Aldeamo not_sent: sandbox_failure',
  ],
  [
    'sent again by an operator',
    { retries: 0, attempts: [{ ...accepted, outcome: 'rejected', reason: 'opted_out' }, accepted] },
    'pmt_1  Twilio  ✓ sent  312 ms  after 2 attempts, Twilio rejected: opted_out',
  ],
  [
    'pending after the first round',
    { retries: 1, notification_status: 'pending', provider: null, attempts: [refused] },
    'pmt_1  no provider  pending  312 ms  Aldeamo not_sent: sandbox_failure',
  ],
  [
    'pending after a day of attempts',
    {
      notification_status: 'pending',
      provider: null,
      next_attempt_at: '2026-01-02T03:04:05',
      retries: 45,
      attempts: Array(90).fill(refused),
    },
    'pmt_1  no provider  pending  312 ms  after 90 attempts, Aldeamo not_sent: sandbox_failure, Aldeamo not_sent: sandbox_failure, next attempt at 03:04:05',
  ],
])('given a payment that is %s, says so in one short line', (_what, fields, msg) => {
  expect(shorten({ ...handled, ...fields })).toEqual({ level: 30, time: 1, msg });
});

test.each([
  ['delivered', 'delivered', 'pmt_1  Twilio  ✓✓ delivered'],
  ['undelivered', 'pending', 'pmt_1  Twilio  undelivered  pending'],
  ['refused', 'failed', 'pmt_1  Twilio  refused  failed'],
])('given a receipt that says %s, says so in one short line', (status, notification_status, msg) => {
  const { level, time, trace_id, payment_id, provider } = handled;
  const receipt = { level, time, trace_id, payment_id, provider, status, notification_status, reason: null };
  expect(shorten({ ...receipt, msg: 'receipt recorded' })).toEqual({ level: 30, time: 1, msg });
});

test.each([
  ['notification answered', 30],
  ['delivery receipt forwarded', 30],
  ['listening on http://127.0.0.1:8000', 30],
])('given a line that repeats another (%s), leaves it out', (msg, level) => {
  expect(shorten({ msg, level })).toBeUndefined();
  expect(shorten({ msg, level: 40 })).toEqual({ msg, level: 40 });
});

test('given an error of the surroundings, says its message without a stack, and keeps that of any other', () => {
  const err = { message: 'connect ECONNREFUSED', code: 'ECONNREFUSED', stack: 'Error\n    at x' };
  expect(shorten({ level: 50, msg: 'not open', err })).toMatchObject({
    msg: 'not open: connect ECONNREFUSED',
    err: undefined,
  });
  const unexpected = {
    level: 50,
    msg: 'failed',
    err: { message: 'x is undefined', stack: 'TypeError\n    at x' },
  };
  expect(shorten(unexpected)).toEqual(unexpected);
});

const colour = '\u001b[';

test.each([
  ['a terminal', {}, true],
  ['a terminal and NO_COLOR', { NO_COLOR: '1' }, false],
])('given %s, npm start prints one line a payment and one a receipt, and warnings', async (_what, settings, isColoured) => {
  const started = await startJob(
    `exec script --quiet --return --command 'exec node scripts/start.js' /dev/null`,
    { settings: { TERM: 'xterm-256color', ALDEAMO_FAILURE_RATE: '1', ...settings } },
  );
  let output = '';
  started.job.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const { body } = await pay(started.urls.payment, { customer_id: 'terminal' });
  for (const _ of [1, 2]) await pay(started.urls.payment, { customer_id: 'terminal' });
  const lines = await eventually(
    async () => output.split('\n'),
    (read) =>
      read.filter((line) => line.includes('✓✓')).length >= 3 &&
      read.some((line) => line.includes('circuit changed')),
    5000,
  );
  const [line, delivered, ...others] = lines.filter((each) => each.includes(body.payment_id));
  expect(others).toEqual([]);
  expect(delivered).toMatch(/payment \|.*Twilio {2}✓✓ delivered/);
  expect(line).toMatch(
    /payment \|.*\d\d:\d\d:\d\d.* {2}Twilio {2}✓ sent {2}\d+ ms {2}Aldeamo not_sent: sandbox_failure/,
  );
  expect(lines.find((each) => each.includes('circuit changed'))).toContain('WARN');
  expect(output.includes(colour)).toBe(isColoured);
});

test('given a pipe, npm start passes the JSON of the services on, and announces on standard error', async () => {
  const started = await startJob('exec node scripts/start.js');
  let output = '';
  started.job.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await pay(started.urls.payment, { customer_id: 'pipe' });
  await call('POST', `${started.urls.payment}/force-recovery`);
  const text = await eventually(
    async () => output,
    (read) => read.includes('"notification handled"'),
    5000,
  );
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.some(({ name }) => name === 'aldeamo-service')).toBe(true);
});

import { overloaded } from 'service-kit/client/answer.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { type Consequences, circuitOpen, consequencesOf, throttled } from '../../src/domain/outcome.ts';

const accepted: Consequences = { failOver: false, breaker: 'success', status: 'sent' };
const rejected: Consequences = { failOver: false, breaker: 'success', status: 'failed' };
const outage: Consequences = { failOver: true, breaker: 'failure', status: 'pending' };
const noOutage: Consequences = { failOver: true, breaker: 'ignored', status: 'pending' };

// The table of design section 5. Each row is written out, so that a change of the rules has to change the table too.
const rows: [what: string, outcome: Outcome, consequences: Consequences][] = [
  ['taken', { outcome: 'accepted', message_id: 'SM1' }, accepted],
  ['the number is not a number', { outcome: 'rejected', reason: 'invalid_phone' }, rejected],
  ['the customer opted out', { outcome: 'rejected', reason: 'opted_out' }, rejected],
  [
    'no phone is known',
    { outcome: 'rejected', reason: 'no_phone', no_outage: true },
    { ...rejected, breaker: 'ignored' },
  ],
  ['refused connection', { outcome: 'not_sent', reason: 'connection_refused' }, outage],
  ['no such name', { outcome: 'not_sent', reason: 'dns_failure' }, outage],
  ['connect timeout', { outcome: 'not_sent', reason: 'connect_timeout' }, outage],
  ['401', { outcome: 'not_sent', reason: 'http_401' }, outage],
  ['429', { outcome: 'not_sent', reason: 'http_429', retry_after_ms: 1000 }, outage],
  ['no_outage said to be false', { outcome: 'not_sent', reason: 'down', no_outage: false }, outage],
  ['just this message refused', { outcome: 'not_sent', reason: 'http_400', no_outage: true }, noOutage],
  ['open circuit', circuitOpen, noOutage],
  ['a full queue of our own', overloaded, noOutage],
  ['left alone until its Retry-After has passed', throttled, noOutage],
  ['deadline passed', { outcome: 'unknown', reason: 'deadline_passed' }, outage],
  ['connection lost', { outcome: 'unknown', reason: 'connection_lost' }, outage],
  ['500', { outcome: 'unknown', reason: 'http_500' }, outage],
  ['unreadable answer', { outcome: 'unknown', reason: 'unreadable_answer' }, outage],
];

test.each(rows)('%s', (_what, outcome, consequences) => {
  expect(consequencesOf(outcome)).toEqual(consequences);
  expect(consequencesOf(outcome, 'resend')).toEqual(consequences);
});

test.each(rows)('%s, where what is unknown is held', (_what, outcome, consequences) => {
  const isUnknown = outcome.outcome === 'unknown';
  expect(consequencesOf(outcome, 'hold')).toEqual(
    isUnknown ? { ...consequences, failOver: false } : consequences,
  );
});

import { overloaded } from 'service-kit/client/answer.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { type Consequences, circuitOpen, consequencesOf, throttled } from '../../src/domain/outcome.ts';

const accepted: Consequences = { failOver: false, breaker: 'success', status: 'sent' };
const rejected: Consequences = { failOver: false, breaker: 'success', status: 'failed' };
const outage: Consequences = { failOver: true, breaker: 'failure', status: 'pending' };
const noOutage: Consequences = { failOver: true, breaker: 'ignored', status: 'pending' };

// Each row is written out, so that a change of the rules has to change the table, too.
const rows: [what: string, outcome: Outcome, consequences: Consequences][] = [
  ['an acceptance', { outcome: 'accepted', message_id: 'SM1' }, accepted],
  ['an invalid phone', { outcome: 'rejected', reason: 'invalid_phone' }, rejected],
  ['an opted-out customer', { outcome: 'rejected', reason: 'opted_out' }, rejected],
  [
    'no known phone',
    { outcome: 'rejected', reason: 'no_phone', no_outage: true },
    { ...rejected, breaker: 'ignored' },
  ],
  ['a refused connection', { outcome: 'not_sent', reason: 'connection_refused' }, outage],
  ['a DNS failure', { outcome: 'not_sent', reason: 'dns_failure' }, outage],
  ['a connect timeout', { outcome: 'not_sent', reason: 'connect_timeout' }, outage],
  ['401', { outcome: 'not_sent', reason: 'http_401' }, outage],
  ['429', { outcome: 'not_sent', reason: 'http_429', retry_after_ms: 1000 }, outage],
  ['no_outage set to false', { outcome: 'not_sent', reason: 'down', no_outage: false }, outage],
  ['one declined message', { outcome: 'not_sent', reason: 'http_400', no_outage: true }, noOutage],
  [
    'an account that is refused, though with one declined message',
    { outcome: 'not_sent', reason: 'twilio_21606', no_outage: true, account_refused: true },
    outage,
  ],
  ['an open circuit', circuitOpen, noOutage],
  ['a full queue of our own', overloaded, noOutage],
  ['a Retry-After that has not passed', throttled, noOutage],
  ['a passed deadline', { outcome: 'unknown', reason: 'deadline_passed' }, outage],
  ['a lost connection', { outcome: 'unknown', reason: 'connection_lost' }, outage],
  ['500', { outcome: 'unknown', reason: 'http_500' }, outage],
  ['an unreadable answer', { outcome: 'unknown', reason: 'unreadable_answer' }, outage],
];

test.each(
  rows,
)('given %s, consequencesOf decides failover, breaker and status', (_what, outcome, consequences) => {
  expect(consequencesOf(outcome)).toEqual(consequences);
  expect(consequencesOf(outcome, 'resend')).toEqual(consequences);
});

test.each(
  rows,
)('given %s and the policy hold, consequencesOf differs only for an unknown outcome: no failover', (_what, outcome, consequences) => {
  const isUnknown = outcome.outcome === 'unknown';
  expect(consequencesOf(outcome, 'hold')).toEqual(
    isUnknown ? { ...consequences, failOver: false } : consequences,
  );
});

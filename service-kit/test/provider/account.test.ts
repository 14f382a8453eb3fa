import type { FastifyBaseLogger } from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/contract/notification.ts';
import { createAccount, type Fault } from '../../src/provider/account.ts';

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const faults: Fault[] = [];
  const note = (fields: Record<string, unknown>) => void lines.push(fields);
  const log = { info: note, error: note } as unknown as FastifyBaseLogger;
  const account = createAccount({ provider: 'Twilio', log, onFault: (fault) => faults.push(fault) });
  let recipients = 0;
  const send = (
    outcome: Outcome,
    fault?: Fault,
    recipient = `+5730000000${++recipients}`,
    begunAt = performance.now(),
  ) => account.learnFromSend({ outcome, fault }, recipient, begunAt);
  return { account, lines, faults, send };
}

const accepted: Outcome = { outcome: 'accepted', message_id: 'SM1' };
const refusedFor = (reason: string): Outcome => ({ outcome: 'not_sent', reason });
const credentials = refusedFor('twilio_20003');
const sender = refusedFor('twilio_21606');

test('an account is unknown until a check or a send shows its state', () => {
  const { account, send } = setUp();
  expect(account.report()).toMatchObject({ state: 'unknown', reason: null, balance: null });
  account.learnFromCheck({ state: 'unknown', reason: 'check_forbidden' });
  account.learnFromCheck({ state: 'unhealthy', reason: 'connection_refused' });
  send({ outcome: 'unknown', reason: 'deadline_passed' });
  send({ outcome: 'rejected', reason: 'twilio_21211' });
  expect(account.report().state).toBe('unknown');
  send(accepted);
  expect(account.report().state).toBe('ok');
});

describe('a refused account', () => {
  test('is found by one send whose answer is about the account', () => {
    const { account, send, lines, faults } = setUp();
    expect(send(credentials, 'account')).toEqual({ ...credentials, account_refused: true });
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'twilio_20003' });
    expect(lines).toMatchObject([{ provider: 'Twilio', account: 'refused', reason: 'twilio_20003' }]);
    expect(faults).toEqual(['account']);
  });

  test('is found by three sends in a row to different recipients with one code about the sender', () => {
    const { account, send } = setUp();
    expect(send(sender, 'sender')).toEqual(sender);
    expect(send(sender, 'sender')).toEqual(sender);
    expect(account.report().state).toBe('unknown');
    expect(send(sender, 'sender')).toEqual({ ...sender, account_refused: true });
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'twilio_21606' });
  });

  test.each<[string, (send: ReturnType<typeof setUp>['send']) => void]>([
    ['one recipient alone', (send) => [1, 2, 3].map(() => send(sender, 'sender', '+573001234567'))],
    [
      'an accepted send between',
      (send) => {
        send(sender, 'sender');
        send(sender, 'sender');
        send(accepted);
        send(sender, 'sender');
      },
    ],
    [
      'another code between',
      (send) => {
        send(sender, 'sender');
        send(sender, 'sender');
        send(refusedFor('twilio_21703'), 'sender');
        send(sender, 'sender');
      },
    ],
    ['a permission', (send) => [1, 2, 3, 4].map(() => send(refusedFor('twilio_21408'), 'permission'))],
    ['a cap', (send) => [1, 2, 3, 4].map(() => send(refusedFor('twilio_63038'), 'cap'))],
    ['a destination', (send) => [1, 2, 3, 4].map(() => send(refusedFor('twilio_21612')))],
  ])('is not found by %s', (_name, make) => {
    const { account, send } = setUp();
    make(send);
    expect(account.report().state).not.toBe('refused');
  });

  test('that a check has found is accepted again by a check', () => {
    const { account, lines } = setUp();
    account.learnFromCheck({ state: 'refused', reason: 'credentials' });
    account.learnFromCheck({ state: 'unknown', reason: 'check_forbidden' });
    account.learnFromCheck({ state: 'unhealthy', reason: 'http_500' });
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'credentials' });
    account.learnFromCheck({ state: 'healthy' });
    expect(account.report()).toMatchObject({ state: 'ok', reason: null });
    expect(lines).toMatchObject([{ account: 'refused' }, { account: 'ok', previous: 'refused' }]);
  });

  test('that only sends have met is accepted again by a send, because the check asks for less', () => {
    const { account, send } = setUp();
    for (let i = 0; i < 3; i += 1) send(sender, 'sender');
    account.learnFromCheck({ state: 'healthy' });
    expect(account.report().state).toBe('refused');
    send(accepted);
    expect(account.report().state).toBe('ok');
  });

  test('that a send and then a check has met is accepted again by a check', () => {
    const { account, send } = setUp();
    send(credentials, 'account');
    account.learnFromCheck({ state: 'refused', reason: 'credentials' });
    send(credentials, 'account');
    account.learnFromCheck({ state: 'healthy' });
    expect(account.report().state).toBe('ok');
  });

  test('is one log line, however many sends and checks meet it in turn', () => {
    const { account, send, lines } = setUp();
    for (let i = 0; i < 5; i += 1) {
      send(credentials, 'account');
      account.learnFromCheck({ state: 'refused', reason: 'credentials' });
    }
    expect(lines).toHaveLength(1);
  });
});

describe('a refused account', () => {
  const balance = refusedFor('balance');
  const begunBefore = performance.now() - 1000;

  test('given accepted sends that began before, stays refused, so that sends under way are one log line', () => {
    const { account, send, lines } = setUp();
    send(accepted);
    for (let n = 0; n < 50; n += 1) {
      send(balance, 'account');
      send(accepted, undefined, '+573000000000', begunBefore);
    }
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'balance' });
    expect(lines).toMatchObject([{ account: 'ok' }, { account: 'refused' }]);
    send(accepted);
    expect(account.report().state).toBe('ok');
  });

  test('given a run of sender faults, is not ended by an accepted send that began before', () => {
    const { account, send } = setUp();
    for (let n = 0; n < 3; n += 1) send(sender, 'sender');
    send(accepted, undefined, '+573000000000', begunBefore);
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'twilio_21606' });
  });

  test('given another reason of later sends, reports that one, logs it once and keeps its time', () => {
    const { account, send, lines } = setUp();
    send(balance, 'account');
    const { since } = account.report();
    for (let n = 0; n < 3; n += 1) send(refusedFor('account_blocked'), 'account');
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'account_blocked', since });
    expect(lines).toMatchObject([
      { account: 'refused', previous: 'unknown', reason: 'balance' },
      { account: 'refused', previous: 'refused', reason: 'account_blocked' },
    ]);
  });

  test('given a check that meets another reason, reports that one', () => {
    const { account, send } = setUp();
    send(balance, 'account');
    account.learnFromCheck({ state: 'refused', reason: 'credentials' });
    expect(account.report()).toMatchObject({ state: 'refused', reason: 'credentials' });
  });
});

test('a fault that is none of the account is logged once, and again after accepted sends only if it was about the sender', () => {
  const { send, lines, faults } = setUp();
  for (let i = 0; i < 3; i += 1) {
    send(refusedFor('twilio_21408'), 'permission');
    send(sender, 'sender');
    send(accepted);
  }
  const about = (reason: string) => lines.filter((line) => line.reason === reason);
  expect(about('twilio_21408')).toHaveLength(1);
  expect(about('twilio_21606')).toHaveLength(3);
  expect(faults).toHaveLength(6);
});

test('a receipt that names a fault is logged and counted, and leaves the state, because it is about an earlier time', () => {
  const { account, send, lines, faults } = setUp();
  send(accepted);
  account.learnFromReceipt('account', 'twilio_30002');
  account.learnFromReceipt('account', 'twilio_30002');
  expect(account.report().state).toBe('ok');
  expect(lines.slice(1)).toMatchObject([{ fault: 'account', reason: 'twilio_30002' }]);
  expect(faults).toEqual(['account', 'account']);
});

test('a balance is shown, and logged when it is used up; it refuses nothing', () => {
  const { account, lines } = setUp();
  for (const balance of [10, 0, 0, 5, 0]) account.learnFromCheck({ state: 'healthy', balance });
  expect(account.report()).toMatchObject({ state: 'ok', balance: 0 });
  expect(lines.filter(({ balance }) => balance === 0)).toHaveLength(2);
});

test('a balance that a healthy check no longer reports is forgotten; a check that says nothing keeps it', () => {
  const { account } = setUp();
  account.learnFromCheck({ state: 'healthy', balance: 0 });
  account.learnFromCheck({ state: 'unhealthy', reason: 'http_500' });
  account.learnFromCheck({ state: 'unknown', reason: 'check_forbidden' });
  expect(account.report().balance).toBe(0);
  account.learnFromCheck({ state: 'healthy' });
  expect(account.report().balance).toBeNull();
});

import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { upstreamHealth } from '../fixture.ts';
import { deadline, pass, resetTimeout, setUp } from './circuit-breaker-fixture.ts';

/** A circuit whose provider refuses the account, and one whose provider cannot be checked without a send. */

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const onlyASendCanTell: UpstreamHealth = {
  status: 'unknown',
  reason: 'check_forbidden',
  account_refused: false,
};
const refused = (status: 'unknown' | 'unhealthy'): UpstreamHealth => ({
  status,
  reason: 'credentials',
  account_refused: true,
});

describe('a refused account', () => {
  test('opens the circuit with the first call, whatever the rules for failures', async () => {
    const { breaker, callRefused, calls, sends } = setUp();
    await calls(100, 'success');
    await expect(callRefused('credentials')).resolves.toBe('Twilio');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: 'account_refused: credentials' });
    await calls(57, 'success');
    expect(sends.Aldeamo).toBe(101);
  });

  test('that the check shows keeps the circuit open without a payment as the probe, and closes it once it is accepted', async () => {
    let health = refused('unhealthy');
    const { breaker, callRefused, logged, sends } = setUp({ check: async () => health });
    await callRefused('credentials');
    await pass(4 * resetTimeout);
    expect(breaker.report()).toMatchObject({ state: 'open', reason: 'account_refused: credentials' });
    expect(logged.map(({ circuit }) => circuit)).not.toContain('closed');
    health = upstreamHealth(true);
    await pass(resetTimeout);
    expect(breaker.report().state).toBe('closed');
    expect(sends.Aldeamo).toBe(1);
  });

  test('that only sends meet is probed by one payment every resetTimeout, and never closes the circuit', async () => {
    const { breaker, callRefused, calls, logged, sends } = setUp({ check: async () => refused('unknown') });
    await callRefused('twilio_21606');
    for (let turn = 1; turn <= 3; turn += 1) {
      await pass(resetTimeout);
      expect(breaker.report().state).toBe('half_open');
      await expect(callRefused('twilio_21606')).resolves.toBe('Twilio');
      expect(breaker.report()).toMatchObject({ state: 'open', reason: 'account_refused: twilio_21606' });
      await calls(20, 'success');
      expect(sends.Aldeamo).toBe(1 + turn);
    }
    expect(logged.map(({ circuit }) => circuit)).not.toContain('closed');
  });

  test('that the check of an open circuit shows becomes its reason, and an outage does not replace it', async () => {
    let health: UpstreamHealth = refused('unhealthy');
    const { breaker, open } = setUp({ check: async () => health });
    await open();
    const { since } = breaker.report();
    await pass(resetTimeout);
    const becameRefused = { since, reason: 'account_refused: credentials' };
    expect(breaker.report()).toMatchObject({
      ...becameRefused,
      last_check: { reason: becameRefused.reason },
    });
    health = upstreamHealth(false);
    await pass(resetTimeout);
    const outage = { reason: 'the background check failed: http_503' };
    expect(breaker.report()).toMatchObject({ ...becameRefused, last_check: outage });
  });

  test('that a payment as the probe shows becomes the reason of an open circuit', async () => {
    const { breaker, callRefused, halfOpen } = setUp();
    await halfOpen();
    await callRefused('twilio_21606');
    const reason = 'account_refused: twilio_21606';
    expect(breaker.report()).toMatchObject({ state: 'open', reason, last_check: { reason } });
  });

  test.each([
    'unknown',
    'unhealthy',
  ] as const)('that a check by hand shows as %s becomes the reason of an open circuit', async (status) => {
    const { breaker, open } = setUp({ check: async () => refused(status) });
    await open();
    await breaker.recover();
    const reason = 'account_refused: credentials';
    expect(breaker.report()).toMatchObject({ state: 'open', reason, last_check: { reason } });
  });

  test('closes the circuit with the first payment that is accepted', async () => {
    const { call, callRefused, state } = setUp({ check: async () => refused('unknown') });
    await callRefused('twilio_21606');
    await pass(resetTimeout);
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(state()).toBe('closed');
  });

  test.each([
    'unknown',
    'unhealthy',
  ] as const)('is not closed by hand while the check is %s', async (status) => {
    const { breaker, callRefused, state } = setUp({ check: async () => refused(status) });
    await callRefused('credentials');
    await expect(breaker.recover()).resolves.toBe(false);
    expect(state()).toBe('open');
  });

  test('that a service reports opens a closed circuit, and leaves another as it is', async () => {
    const { breaker } = setUp();
    breaker.open('account_refused: credentials');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: 'account_refused: credentials' });

    const other = setUp();
    await other.open();
    const before = other.breaker.report();
    other.breaker.open('account_refused: credentials');
    expect(other.breaker.report()).toEqual(before);
  });
});

describe('a provider whose health only a send can tell', () => {
  const check = async () => onlyASendCanTell;

  test('stays half-open until a payment is the probe, which closes the circuit', async () => {
    const { breaker, call, open, state } = setUp({ check });
    await open();
    await pass(resetTimeout + 60_000);
    expect(state()).toBe('half_open');
    const { reason, last_check } = breaker.report();
    expect(reason).toBe('3 failures in a row, the last: connection_refused');
    expect(last_check?.reason).toBe('the background check could not tell: check_forbidden');
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(state()).toBe('closed');
  });

  test('is open again after a payment that failed, for another resetTimeout', async () => {
    const { call, open, state, sends } = setUp({ check });
    await open();
    await pass(resetTimeout);
    await expect(call('failure')).resolves.toBe('Twilio');
    expect(state()).toBe('open');
    await pass(resetTimeout);
    expect(state()).toBe('half_open');
    expect(sends.Aldeamo).toBe(4);
  });

  test.each([
    ['before', 10, 0],
    ['after', 0, 10],
  ])('given an ignored payment that ends %s the check, waits for the next probe rather than for ever', async (_when, checkMs, callMs) => {
    const { begin, breaker, open, call } = setUp({
      check: async () => {
        await new Promise((resolve) => setTimeout(resolve, checkMs));
        return onlyASendCanTell;
      },
    });
    await open();
    await pass(resetTimeout);
    const probe = begin();
    await pass(callMs);
    await probe.settle('ignored');
    await pass(checkMs);
    expect(breaker.report()).toMatchObject({
      state: 'open',
      reason: '3 failures in a row, the last: connection_refused',
      last_check: { reason: 'the probe said nothing about the provider' },
    });
    await pass(resetTimeout + checkMs);
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(breaker.report().state).toBe('closed');
  });

  test('given a payment under way when the check ends, is decided by that payment', async () => {
    const { begin, halfOpen, state } = setUp({ check });
    await halfOpen();
    const probe = begin();
    await pass(deadline);
    expect(state()).toBe('half_open');
    await expect(probe.settle('success')).resolves.toBe('Aldeamo');
    expect(state()).toBe('closed');
  });

  test('is closed by hand, because a person knows more than the check', async () => {
    const { breaker, open, state } = setUp({ check });
    await open();
    await expect(breaker.recover()).resolves.toBe(true);
    expect(state()).toBe('closed');
  });
});

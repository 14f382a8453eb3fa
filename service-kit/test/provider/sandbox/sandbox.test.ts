import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SandboxSettings } from '../../../src/contract/sandbox-settings.ts';
import type { Send } from '../../../src/provider/gateway.ts';
import { createDice } from '../../../src/provider/sandbox/faults.ts';
import { ledgerSize } from '../../../src/provider/sandbox/ledger.ts';
import { createSandbox } from '../../../src/provider/sandbox/sandbox.ts';

const sandboxWith = (settings: Partial<SandboxSettings>) => createSandbox({ provider: 'Aldeamo', settings });

const sendTo = (customer_id: string, idempotency_key: string | null = null): Send => ({
  customer_id,
  message: 'Pago recibido',
  idempotency_key,
});

describe('the ledger', () => {
  test('has the accepted messages, in order, with the keys, and without text or phone', async () => {
    const sandbox = createSandbox({ provider: 'Twilio' });
    const first = await sandbox.send({ ...sendTo('1', 'key-1'), phone: '+573001234567' });
    const second = await sandbox.send(sendTo('2'));
    expect([first, second]).toEqual([
      { outcome: 'accepted', message_id: expect.stringMatching(/^twilio-./) },
      { outcome: 'accepted', message_id: expect.stringMatching(/^twilio-./) },
    ]);
    const accepted_at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(sandbox.messages).toEqual([
      {
        message_id: messageId(first),
        customer_id: '1',
        idempotency_key: 'key-1',
        accepted_at,
        delivery: null,
      },
      { message_id: messageId(second), customer_id: '2', idempotency_key: null, accepted_at, delivery: null },
    ]);
    expect(messageId(first)).not.toBe(messageId(second));
  });

  test('drops the oldest when it is full', async () => {
    const sandbox = sandboxWith({});
    let sent = 0;
    for (const more of [2, 999, 1500]) {
      while (sent < ledgerSize + more) await sandbox.send(sendTo(String(++sent)));
      expect(sandbox.messages).toHaveLength(ledgerSize);
      expect(sandbox.messages[0]?.customer_id).toBe(String(more + 1));
      expect(sandbox.messages.at(-1)?.customer_id).toBe(String(sent));
    }
  }, 30_000);
});

test('given live_only, accepts nothing, and draws no number of its dice', async () => {
  const [sandbox, other] = [sandboxWith({ failure_rate: 0.5 }), sandboxWith({ failure_rate: 0.5 })];
  for (let number = 0; number < 50; number += 1) {
    expect(await sandbox.send({ ...sendTo('1'), live_only: true })).toEqual({
      outcome: 'not_sent',
      reason: 'sandbox_beside_live',
      no_outage: true,
    });
    expect((await sandbox.send(sendTo('2'))).outcome).toBe((await other.send(sendTo('2'))).outcome);
  }
  expect(sandbox.messages.filter(({ customer_id }) => customer_id === '1')).toEqual([]);
});

describe('the failure rate', () => {
  // A rate of exactly the first random number of the seed is just too little, and the next rate up is enough.
  const seed = 7;
  const roll = createDice(seed)();
  test.each([
    { failure_rate: 0, succeeds: true },
    { failure_rate: 1, succeeds: false },
    { failure_rate: roll, succeeds: true },
    { failure_rate: roll + 2 ** -32, succeeds: false },
  ])('$failure_rate: succeeds $succeeds', async ({ failure_rate, succeeds }) => {
    expect((await sandboxWith({ failure_rate, seed }).check()).state).toBe(
      succeeds ? 'healthy' : 'unhealthy',
    );
    const sandbox = sandboxWith({ failure_rate, seed });
    expect(await sandbox.send(sendTo('1'))).toEqual(
      succeeds
        ? { outcome: 'accepted', message_id: expect.any(String) }
        : { outcome: 'not_sent', reason: 'sandbox_failure' },
    );
    expect(sandbox.messages).toHaveLength(succeeds ? 1 : 0);
  });

  test.each([
    { failure_rate: 0, share: 0 },
    { failure_rate: 1, share: 1 },
    { failure_rate: 0.5, share: 0.5 },
    { failure_rate: 0.05, share: 0.05 },
  ])('$failure_rate fails that share of 10 000 sends', async ({ failure_rate, share }) => {
    const sandbox = sandboxWith({ failure_rate });
    for (let number = 0; number < 10_000; number += 1) await sandbox.send(sendTo(String(number)));
    const failed = 1 - sandbox.messages.length / 10_000;
    if (share === 0 || share === 1) expect(failed).toBe(share);
    else expect(Math.abs(failed - share)).toBeLessThan(0.02);
  });

  test('applies to the next sends and checks when it is changed', async () => {
    const sandbox = sandboxWith({ failure_rate: 1 });
    expect([(await sandbox.check()).state, (await sandbox.send(sendTo('1'))).outcome]).toEqual([
      'unhealthy',
      'not_sent',
    ]);
    sandbox.set({ failure_rate: 0 });
    expect([(await sandbox.check()).state, (await sandbox.send(sendTo('2'))).outcome]).toEqual([
      'healthy',
      'accepted',
    ]);
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['2']);
  });

  test('is drawn for each send by itself', async () => {
    const roll = createDice(1);
    const customers = Array.from({ length: 20 }, (_, number) => String(number));
    const lucky = customers.filter(() => roll() >= 0.5);
    expect(lucky.length).toBeGreaterThan(0);
    expect(lucky.length).toBeLessThan(20);
    const sandbox = sandboxWith({ failure_rate: 0.5, seed: 1 });
    for (const customer of customers) await sandbox.send(sendTo(customer));
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(lucky);
  });
});

describe('the latency', () => {
  // The sandbox waits by node:timers/promises.
  beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true }));
  afterEach(() => void vi.useRealTimers());

  test.each(['send', 'check'] as const)('a %s takes no less', async (call) => {
    const sandbox = sandboxWith({ latency_ms: 200 });
    let done = false;
    const running = (call === 'send' ? sandbox.send(sendTo('1')) : sandbox.check()).then(() => {
      done = true;
    });
    await vi.advanceTimersByTimeAsync(199);
    expect([done, sandbox.messages.length]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(1);
    await running;
    expect(done).toBe(true);
  });

  test('sends wait at the same time, not one after another', async () => {
    const sandbox = sandboxWith({ latency_ms: 200 });
    const sends = Promise.all(['1', '2', '3'].map((customer) => sandbox.send(sendTo(customer))));
    await vi.advanceTimersByTimeAsync(200);
    await sends;
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['1', '2', '3']);
  });
});

function messageId(outcome: Awaited<ReturnType<ReturnType<typeof createSandbox>['send']>>): string {
  if (outcome.outcome !== 'accepted') throw new Error('not accepted');
  return outcome.message_id;
}

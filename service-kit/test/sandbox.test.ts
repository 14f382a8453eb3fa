import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Send } from '../src/provider/gateway.ts';
import { createSandbox, ledgerSize, type SandboxOptions } from '../src/provider/sandbox.ts';

const sandboxWith = (options: Partial<SandboxOptions>) =>
  createSandbox({ provider: 'Aldeamo', latencyMs: 0, failureRate: 0, ...options });

const sendTo = (customer_id: string, idempotency_key: string | null = null): Send => ({
  customer_id,
  message: 'Pago recibido',
  idempotency_key,
});

describe('the ledger', () => {
  test('holds what was accepted, in order, with the keys, and without text or phone', async () => {
    const sandbox = sandboxWith({ provider: 'Twilio' });
    const first = await sandbox.send({ ...sendTo('1', 'key-1'), phone: '+573001234567' });
    const second = await sandbox.send(sendTo('2'));
    expect([first, second]).toEqual([
      { outcome: 'accepted', message_id: expect.stringMatching(/^twilio-./) },
      { outcome: 'accepted', message_id: expect.stringMatching(/^twilio-./) },
    ]);
    const accepted_at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(sandbox.messages).toEqual([
      { message_id: messageId(first), customer_id: '1', idempotency_key: 'key-1', accepted_at },
      { message_id: messageId(second), customer_id: '2', idempotency_key: null, accepted_at },
    ]);
    expect(messageId(first)).not.toBe(messageId(second));
  });

  test('forgets the oldest when it is full', async () => {
    const sandbox = sandboxWith({});
    for (let number = 1; number <= ledgerSize + 2; number += 1) await sandbox.send(sendTo(String(number)));
    expect(sandbox.messages).toHaveLength(ledgerSize);
    expect(sandbox.messages[0]?.customer_id).toBe('3');
    expect(sandbox.messages.at(-1)?.customer_id).toBe(String(ledgerSize + 2));
  }, 30_000);
});

describe('the failure rate', () => {
  // Just below 1 is the most that Math.random brings.
  test.each([
    { failureRate: 0, random: 0, well: true },
    { failureRate: 0, random: 0.999_999, well: true },
    { failureRate: 1, random: 0, well: false },
    { failureRate: 1, random: 0.999_999, well: false },
    { failureRate: 0.5, random: 0.499_999, well: false },
    { failureRate: 0.5, random: 0.5, well: true },
  ])('$failureRate with a random $random: well $well', async ({ failureRate, random, well }) => {
    const sandbox = sandboxWith({ failureRate, random: () => random });
    expect(await sandbox.check()).toBe(well);
    expect(await sandbox.send(sendTo('1'))).toEqual(
      well
        ? { outcome: 'accepted', message_id: expect.any(String) }
        : { outcome: 'not_sent', reason: 'sandbox_failure' },
    );
    expect(sandbox.messages).toHaveLength(well ? 1 : 0);
  });

  test('holds from now on when it is changed, for sends and checks alike', async () => {
    const sandbox = sandboxWith({ failureRate: 1 });
    expect([await sandbox.check(), (await sandbox.send(sendTo('1'))).outcome]).toEqual([false, 'not_sent']);
    sandbox.failureRate = 0;
    expect([await sandbox.check(), (await sandbox.send(sendTo('2'))).outcome]).toEqual([true, 'accepted']);
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['2']);
  });

  test('is drawn for each send by itself', async () => {
    const draws = [0.1, 0.9, 0.4, 0.6];
    const sandbox = sandboxWith({ failureRate: 0.5, random: () => draws.shift() ?? 0 });
    for (const customer of ['1', '2', '3', '4']) await sandbox.send(sendTo(customer));
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['2', '4']);
  });
});

describe('the latency', () => {
  // The sandbox waits by node:timers/promises.
  beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true }));
  afterEach(() => void vi.useRealTimers());

  test.each(['send', 'check'] as const)('a %s takes it, and not less', async (call) => {
    const sandbox = sandboxWith({ latencyMs: 200 });
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

  test('sends wait side by side, not in a queue', async () => {
    const sandbox = sandboxWith({ latencyMs: 200 });
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

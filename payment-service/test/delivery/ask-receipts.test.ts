import type { FastifyBaseLogger } from 'fastify';
import type { MessageReport, Outcome, Provider, ReceiptWay } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRecordReceipt } from '../../src/delivery/apply-receipt.ts';
import { type ReceiptAsks, startReceiptAsks } from '../../src/delivery/ask-receipts.ts';
import { scheduleFirstAsk } from '../../src/domain/asks.ts';
import { endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import type { Payment } from '../../src/domain/payment.ts';
import type { FoundMessage } from '../../src/providers/provider-answer.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

const now = Date.parse('2026-03-01T12:00:00.000Z');
const minute = 60_000;
const receiptTimeoutMs = 10 * minute;
const leaseMs = 15_000;

// fakeNodeBuiltins, because it waits by node:timers/promises. setImmediate stays real, because the store commits by it.
beforeEach(() => {
  vi.useFakeTimers({ now, fakeNodeBuiltins: true, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
const started: ReceiptAsks[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((asks) => asks.stop()));
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function setUp() {
  const store = createMemoryStore({ leaseMs });
  const warnings: string[] = [];
  const errors: unknown[] = [];
  const log = {
    info() {},
    warn: (_fields: unknown, message: string) => void warnings.push(message),
    error: ({ err }: { err: unknown }) => void errors.push(err),
  } as unknown as FastifyBaseLogger;
  /** The asks, each with the minutes since the start. */
  const asked: string[] = [];
  let answer: (messageId: string) => FoundMessage | Promise<FoundMessage> = () => 'unanswered';
  const clientOf = (provider: Provider) => ({
    findMessage: async (messageId: string) => {
      asked.push(`${provider} ${messageId} ${(Date.now() - now) / minute}`);
      return answer(messageId);
    },
  });
  const start = () => {
    const asks = startReceiptAsks({
      store,
      clients: { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') },
      recordReceipt: createRecordReceipt({ store, undelivered: 'resend', onChange: () => {} }),
      receiptTimeoutMs,
      onChange: () => {},
      log,
    });
    started.push(asks);
    return asks;
  };

  /** Stores a payment that the provider has accepted now. */
  async function send(number: number, receipts: ReceiptWay[] | undefined, provider: Provider = 'Twilio') {
    const outcome: Outcome = { outcome: 'accepted', message_id: `m${number}`, ...(receipts && { receipts }) };
    const fresh = paymentNumber(number, { created_at: new Date(now).toISOString() });
    const ended = endAttempt(startAttempt(fresh, provider), outcome, 0);
    await store.insert(scheduleFirstAsk(ended, outcome, receiptTimeoutMs));
  }
  const find = async (number: number) => (await store.find(paymentNumber(number).payment_id)) as Payment;

  async function pass(ms: number, step = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      await vi.advanceTimersByTimeAsync(Math.min(step, ms - passed));
      for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
    }
  }

  return {
    ...{ store, warnings, errors, asked, start, send, find, pass },
    answerWith: (next: typeof answer) => {
      answer = next;
    },
  };
}

const reportOf = (message_id: string, fields: Partial<MessageReport> = {}): MessageReport => ({
  ...{ provider: 'Twilio', message_id, status: 'delivered', reason: null },
  ...fields,
});

test('given an SMS without a receipt, asks once its receipt is overdue, and records the answer with its time', async () => {
  const { start, send, find, pass, asked, answerWith } = setUp();
  await send(1, ['push', 'pull']);
  const at = '2026-03-01T12:00:07.000Z';
  answerWith((id) => reportOf(id, { at }));
  start();
  await pass(receiptTimeoutMs - 1000);
  expect(asked).toEqual([]);
  await pass(2000);
  expect(asked).toEqual(['Twilio m1 10']);
  expect(await find(1)).toMatchObject({
    notification_status: 'delivered',
    ask_at: null,
    attempts: [{ outcome: 'accepted', deliveries: [{ status: 'delivered', at }] }],
  });
});

test('given a provider that reports nothing by itself, asks earlier, three times in all, and then says that no receipt came', async () => {
  const { start, send, find, pass, asked, answerWith } = setUp();
  await send(1, ['pull']);
  answerWith((id) => reportOf(id, { status: null }));
  start();
  await pass(9 * minute);
  expect(await find(1)).toMatchObject({ notification_status: 'sent', reason: null });
  await pass(2 * 60 * minute, 5000);
  expect(asked).toEqual(['Twilio m1 0.5', 'Twilio m1 10', 'Twilio m1 30']);
  expect(await find(1)).toMatchObject({
    notification_status: 'sent',
    reason: 'no_receipt',
    ask_at: null,
    asks: 3,
    attempts: [{ deliveries: [] }],
  });
});

test('given an answer that the SMS did not arrive, has the other provider send it', async () => {
  const { start, send, find, pass, answerWith } = setUp();
  await send(1, ['pull']);
  answerWith((id) => reportOf(id, { status: 'undelivered', reason: 'twilio_30003' }));
  start();
  await pass(minute);
  expect(await find(1)).toMatchObject({ notification_status: 'pending', ask_at: null });
});

test('given no answer, counts none, and asks until there is one, less and less often', async () => {
  const { start, send, find, pass, asked, answerWith } = setUp();
  await send(1, ['pull']);
  start();
  await pass(3 * 60 * minute, 5000);
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.length).toBeLessThan(40);
  expect(await find(1)).toMatchObject({ notification_status: 'sent', reason: 'no_receipt', asks: 0 });
  answerWith((id) => reportOf(id));
  await pass(60 * minute, 5000);
  expect(await find(1)).toMatchObject({ notification_status: 'delivered', reason: null });
});

test('given a provider that refuses to be asked, asks it no more, with one line, and asks the other one', async () => {
  const { start, send, find, pass, asked, warnings, answerWith } = setUp();
  for (const number of [1, 2, 3]) await send(number, ['pull']);
  answerWith(() => 'forbidden');
  start();
  await pass(minute);
  const before = asked.length;
  await send(4, ['pull']);
  await send(5, ['pull'], 'Aldeamo');
  answerWith((id) => reportOf(id, { provider: 'Aldeamo' }));
  await pass(11 * minute);
  expect(asked.slice(before)).toEqual([expect.stringMatching(/^Aldeamo m5 /)]);
  expect(warnings).toEqual(['the provider refuses to be asked for receipts; it is asked no more']);
  for (const number of [1, 2, 3, 4])
    expect(await find(number)).toMatchObject({
      notification_status: 'sent',
      reason: 'no_receipt',
      ask_at: null,
    });
  expect(await find(5)).toMatchObject({ notification_status: 'delivered' });
});

test.each<[string, ReceiptWay[] | undefined]>([
  ['no receipts', []],
  ['no word of receipts', undefined],
])('given a provider with %s, asks nothing', async (_what, receipts) => {
  const { start, send, find, pass, asked } = setUp();
  await send(1, receipts);
  start();
  await pass(60 * minute, 5000);
  expect(asked).toEqual([]);
  expect(await find(1)).toMatchObject({ notification_status: 'sent', reason: null });
});

test('given an SMS that the provider does not know, asks once', async () => {
  const { start, send, find, pass, asked, answerWith } = setUp();
  await send(1, ['pull']);
  answerWith(() => 'unavailable');
  start();
  await pass(60 * minute, 5000);
  expect(asked).toHaveLength(1);
  expect(await find(1)).toMatchObject({ reason: 'no_receipt', ask_at: null });
});

test('given a backlog and answers that take long, has at most 16 asks under way', async () => {
  const { start, send, pass, asked, answerWith } = setUp();
  for (let number = 0; number < 50; number += 1) await send(number, ['pull']);
  const { promise, resolve } = Promise.withResolvers<FoundMessage>();
  answerWith(() => promise);
  start();
  await pass(minute);
  expect(new Set(asked.map((line) => line.split(' ')[1])).size).toBe(16);
  resolve('unavailable');
  await pass(minute);
  expect(new Set(asked.map((line) => line.split(' ')[1])).size).toBe(50);
});

test('given a process that ends before it has recorded the answer, another one asks again', async () => {
  const { start, send, find, pass, asked, answerWith, store } = setUp();
  await send(1, ['pull']);
  const { amend } = store;
  store.amend = async () => {
    throw new StoreUnavailable('down');
  };
  answerWith((id) => reportOf(id));
  const first = start();
  await pass(minute / 2 + 1000);
  await first.stop();
  store.amend = amend;
  expect(asked).toEqual(['Twilio m1 0.5']);
  start();
  await pass(leaseMs + 1000);
  expect(asked).toHaveLength(2);
  expect(await find(1)).toMatchObject({ notification_status: 'delivered' });
});

test('given a time of the future in the answer, records the time of the answer', async () => {
  const { start, send, find, pass, answerWith } = setUp();
  await send(1, ['pull']);
  answerWith((id) => reportOf(id, { at: '2099-01-01T00:00:00.000Z' }));
  start();
  await pass(minute);
  expect((await find(1)).attempts[0]?.deliveries[0]?.at).toMatch(/^2026-03-01T12:00:3/);
});

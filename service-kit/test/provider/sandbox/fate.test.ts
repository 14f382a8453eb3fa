import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Receipt } from '../../../src/contract/notification.ts';
import type { SandboxSettings } from '../../../src/contract/sandbox-settings.ts';
import { createSandbox, type SandboxOptions } from '../../../src/provider/sandbox/sandbox.ts';

const startedAt = Date.parse('2026-01-01T00:00:00.000Z');
const deliveredAt = '2026-01-01T00:00:01.500Z';

beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true, now: startedAt }));
afterEach(() => void vi.useRealTimers());

/** A sandbox, and the receipts that it has sent, each with the time since the start at which it was due. */
function openSandbox(settings: Partial<SandboxSettings>, options: Partial<SandboxOptions> = {}) {
  const pushed: (Receipt & { afterMs: number })[] = [];
  const sandbox = createSandbox({
    provider: 'Aldeamo',
    settings: { delivery_ms: 1500, ...settings },
    push: {
      push: (receipts, afterMs) => void pushed.push(...receipts.map((receipt) => ({ ...receipt, afterMs }))),
      close: async () => {},
    },
    ...options,
  });
  async function send(idempotency_key: string | null = 'key-1'): Promise<string> {
    const outcome = await sandbox.send({ customer_id: '1', message: 'Pago recibido', idempotency_key });
    if (outcome.outcome !== 'accepted') throw new Error('not accepted');
    return outcome.message_id;
  }
  return { sandbox, pushed, send };
}

test('given no delivery_ms, there are no receipts, and nothing becomes of an SMS', async () => {
  const { sandbox, pushed, send } = openSandbox({ delivery_ms: null, undelivered_rate: 1 });
  const message_id = await send();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(sandbox.receipts).toEqual([]);
  expect(pushed).toEqual([]);
  expect(sandbox.messages).toMatchObject([{ message_id, delivery: null }]);
  expect(await sandbox.find?.(message_id)).toEqual({ found: 'report', status: null, reason: null });
});

test('given delivery_ms, an SMS is delivered after it: in the receipt, in the ledger and when the sandbox is asked', async () => {
  const { sandbox, pushed, send } = openSandbox({});
  expect(sandbox.receipts).toEqual(['push', 'pull']);
  const message_id = await send();
  const receipt = { provider: 'Aldeamo', message_id, idempotency_key: 'key-1', afterMs: 1500 };
  expect(pushed).toEqual([{ ...receipt, status: 'delivered', reason: null, at: deliveredAt }]);
  await vi.advanceTimersByTimeAsync(1499);
  expect(sandbox.messages).toMatchObject([{ delivery: null }]);
  expect(await sandbox.find?.(message_id)).toEqual({ found: 'report', status: null, reason: null });
  await vi.advanceTimersByTimeAsync(1);
  expect(sandbox.messages).toMatchObject([{ delivery: { status: 'delivered', at: deliveredAt } }]);
  expect(await sandbox.find?.(message_id)).toEqual({
    found: 'report',
    status: 'delivered',
    reason: null,
    at: deliveredAt,
  });
  expect(await sandbox.find?.('another')).toEqual({ found: 'unknown_message' });
});

test.each([
  'undelivered',
  'not_sent',
  'filtered',
  'refused',
] as const)('given a rate of 1, every SMS is %s', async (status) => {
  const { sandbox, pushed, send } = openSandbox({ [`${status}_rate`]: 1 });
  const message_id = await send();
  const end = { status, reason: `sandbox_${status}`, at: deliveredAt };
  expect(pushed).toMatchObject([end]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(sandbox.messages).toMatchObject([{ delivery: { status, at: deliveredAt } }]);
  expect(await sandbox.find?.(message_id)).toEqual({ found: 'report', ...end });
});

test('a late receipt has the time of the delivery, and is known before by asking', async () => {
  const { sandbox, pushed, send } = openSandbox({ receipt_late_rate: 1, receipt_late_ms: 7000 });
  const message_id = await send();
  expect(pushed).toMatchObject([{ status: 'delivered', at: deliveredAt, afterMs: 8500 }]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(await sandbox.find?.(message_id)).toMatchObject({ status: 'delivered' });
});

test('a receipt that is lost is not sent, and known by asking', async () => {
  const { sandbox, pushed, send } = openSandbox({ receipt_lost_rate: 1, refused_rate: 1 });
  const message_id = await send();
  await vi.advanceTimersByTimeAsync(1500);
  expect(pushed).toEqual([]);
  expect(await sandbox.find?.(message_id)).toMatchObject({ status: 'refused', reason: 'sandbox_refused' });
});

test('a receipt that comes twice is the same both times', async () => {
  const { pushed, send } = openSandbox({ receipt_twice_rate: 1, filtered_rate: 1 });
  await send();
  expect(pushed).toHaveLength(2);
  expect(pushed[1]).toEqual(pushed[0]);
});

test('contradicting receipts come in either order, and the SMS was delivered', async () => {
  const { sandbox, pushed, send } = openSandbox({ receipt_contradicting_rate: 1, undelivered_rate: 1 });
  for (let number = 0; number < 20; number += 1) await send(`key-${number}`);
  const orders = pushed
    .map(({ status }) => status)
    .join(' ')
    .match(/\w+ \w+/g);
  expect(new Set(orders)).toEqual(new Set(['undelivered delivered', 'delivered undelivered']));
  await vi.advanceTimersByTimeAsync(1500);
  expect(new Set(sandbox.messages.map(({ delivery }) => delivery?.status))).toEqual(new Set(['delivered']));
});

test('an SMS without a key has no receipt, which could not be assigned to an attempt, and is known by asking', async () => {
  const { sandbox, pushed, send } = openSandbox({});
  const message_id = await send(null);
  await vi.advanceTimersByTimeAsync(1500);
  expect(pushed).toEqual([]);
  expect(await sandbox.find?.(message_id)).toMatchObject({ status: 'delivered' });
});

test('what is set applies to the SMS that are accepted from then on', async () => {
  const { sandbox, pushed, send } = openSandbox({});
  await send('before');
  sandbox.set({ undelivered_rate: 1, delivery_ms: 10 });
  await send('after');
  sandbox.set({ delivery_ms: null });
  await send('without');
  expect(pushed).toMatchObject([
    { idempotency_key: 'before', status: 'delivered', afterMs: 1500 },
    { idempotency_key: 'after', status: 'undelivered', afterMs: 10 },
  ]);
  expect(sandbox.receipts).toEqual([]);
});

describe('the seed', () => {
  const mixed = { undelivered_rate: 0.2, not_sent_rate: 0.2, refused_rate: 0.2, receipt_lost_rate: 0.3 };
  async function run({ send, pushed }: ReturnType<typeof openSandbox>, count = 40) {
    const before = pushed.length;
    for (let number = 0; number < count; number += 1) await send(`${number}`);
    return pushed.slice(before).map(({ idempotency_key, status }) => `${idempotency_key} ${status}`);
  }

  test('makes what becomes of the SMS repeatable, in the same sandbox and in another one', async () => {
    const opened = openSandbox({ ...mixed, seed: 7 });
    const first = await run(opened);
    expect(new Set(first.map((one) => one.split(' ')[1])).size).toBe(4);
    opened.sandbox.set({ seed: 7 });
    expect(await run(opened)).toEqual(first);
    expect(await run(openSandbox({ ...mixed, seed: 7 }))).toEqual(first);
    expect(await run(openSandbox({ ...mixed, seed: 8 }))).not.toEqual(first);
  });

  test('makes the same sends fail with and without deliveries', async () => {
    const outcomes = async (settings: Partial<SandboxSettings>) => {
      const { sandbox } = openSandbox({ failure_rate: 0.5, seed: 7, ...settings });
      const send = { customer_id: '1', message: 'a', idempotency_key: null };
      const seen: string[] = [];
      for (let number = 0; number < 40; number += 1) seen.push((await sandbox.send(send)).outcome);
      return seen;
    };
    const without = await outcomes({ delivery_ms: null });
    expect(new Set(without).size).toBe(2);
    expect(await outcomes(mixed)).toEqual(without);
  });
});

test('given rates, as large a share of the SMS meets each', async () => {
  const { sandbox, pushed, send } = openSandbox({
    undelivered_rate: 0.1,
    not_sent_rate: 0.2,
    filtered_rate: 0.1,
    refused_rate: 0.2,
    receipt_late_rate: 0.2,
    receipt_twice_rate: 0.1,
    receipt_lost_rate: 0.3,
  });
  const count = 10_000;
  const expectShare = (times: number, share: number) =>
    expect(Math.abs(times / count - share)).toBeLessThan(0.015);
  for (let number = 0; number < count; number += 1) await send(`${number}`);
  await vi.advanceTimersByTimeAsync(1500);
  const ofStatus = Object.groupBy(sandbox.messages, ({ delivery }) => delivery?.status ?? 'none');
  const expected = { delivered: 0.4, undelivered: 0.1, not_sent: 0.2, filtered: 0.1, refused: 0.2 };
  for (const [status, share] of Object.entries(expected))
    expectShare(ofStatus[status as keyof typeof expected]?.length ?? 0, share);
  const late = pushed.filter(({ afterMs }) => afterMs > 1500).length;
  const reported = new Set(pushed.map(({ idempotency_key }) => idempotency_key)).size;
  expectShare(late, 0.2);
  expectShare(pushed.length - reported, 0.1);
  expectShare(reported, 0.7);
});

describe('given a ledger file', () => {
  function newFile(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sandbox-fate-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return join(folder, 'ledger.jsonl');
  }

  test('a sandbox that starts anew knows what became of an SMS, also of one whose delivery lay ahead', async () => {
    const ledgerFile = newFile();
    const message_id = await openSandbox({ undelivered_rate: 1 }, { ledgerFile }).send();
    const { sandbox } = openSandbox({}, { ledgerFile });
    expect(sandbox.messages).toMatchObject([{ message_id, delivery: null }]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(sandbox.messages).toMatchObject([{ delivery: { status: 'undelivered', at: deliveredAt } }]);
    expect(await sandbox.find?.(message_id)).toMatchObject({ status: 'undelivered', at: deliveredAt });
  });
});

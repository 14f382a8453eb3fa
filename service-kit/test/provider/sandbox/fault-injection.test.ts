import { describe, expect, test, vi } from 'vitest';
import { unknownKeySchema } from '../../../src/contract/notification.ts';
import type { SandboxSettings } from '../../../src/contract/sandbox-settings.ts';
import { ample, answer, cut, jsonOf, type Seen, serve, short, silence } from './fixture.ts';

const problem = (outcome: string, reason: string) =>
  expect.stringMatching(new RegExp(`"outcome":"${outcome}","reason":"${reason}"`));

describe('a fault', () => {
  const sent = { status: 200, body: expect.stringContaining('"status":"sent"'), retryAfter: null };
  const half = { status: 200, body: '{"provider": "Ald', retryAfter: null };
  const never = { status: 404 };

  /** What the client of a send sees, how many were accepted, what a cancel finds, and what the client of a check sees. */
  const faults: [
    fault: string,
    settings: Partial<SandboxSettings>,
    seen: Seen,
    accepted: number,
    found: unknown,
    check: Seen,
  ][] = [
    ['none', {}, sent, 1, sent, { status: 200, body: '{"status":"healthy"}', retryAfter: null }],
    ['hang', { hang_rate: 1 }, silence, 0, never, silence],
    ['cut_before', { cut_before_rate: 1 }, cut, 0, never, cut],
    ['cut_after', { cut_after_rate: 1 }, cut, 1, sent, cut],
    ['late, too late', { late_rate: 1, late_ms: 60_000 }, silence, 1, sent, silence],
    [
      'throttle',
      { throttle_rate: 1, retry_after_s: 7 },
      { status: 429, body: problem('not_sent', 'sandbox_throttled'), retryAfter: '7' },
      0,
      never,
      { status: 429, body: problem('not_sent', 'sandbox_throttled'), retryAfter: '7' },
    ],
    ['garbage', { garbage_rate: 1 }, half, 1, sent, half],
    [
      'failure',
      { failure_rate: 1 },
      { status: 503, body: problem('not_sent', 'sandbox_failure'), retryAfter: null },
      0,
      { status: 503, body: problem('not_sent', 'sandbox_failure') },
      { status: 503, body: expect.stringContaining('/problems/upstream-unhealthy'), retryAfter: null },
    ],
  ];

  test.each(faults)('%s, of a send', async (_fault, settings, seen, accepted, found) => {
    const { send, cancel, sandbox } = await serve(settings);
    expect(await send('key-1', seen === silence ? short : ample)).toEqual(seen);
    await vi.waitFor(() => expect(sandbox.messages).toHaveLength(accepted)); // the client may have left before
    expect(sandbox.messages).toMatchObject(
      Array(accepted).fill({ idempotency_key: 'key-1', customer_id: '1' }),
    );
    // A cancel meets no faults.
    expect(await cancel('key-1')).toMatchObject(found as object);
    expect(sandbox.messages).toHaveLength(accepted);
  });

  test.each(faults)('%s, of a check', async (_fault, settings, _seen, _accepted, _found, check) => {
    const served = await serve(settings);
    expect(await served.check(check === silence ? short : ample)).toEqual(check);
    expect(served.sandbox.messages).toEqual([]);
  });

  test.each([
    ['slow', { slow_rate: 1, slow_ms: 120 }],
    ['late', { late_rate: 1, late_ms: 120 }],
  ])('%s: answers after its delay', async (_fault, settings) => {
    const { send, check, sandbox } = await serve(settings);
    for (const call of [() => send('key-1'), check]) {
      const started = performance.now();
      expect(answer(await call()).status).toBe(200);
      expect(performance.now() - started).toBeGreaterThanOrEqual(119); // a timer may fire a little early
    }
    expect(sandbox.messages).toHaveLength(1);
  });

  test('slow: is accepted after its delay; late: before it', async () => {
    const slow = await serve({ slow_rate: 1, slow_ms: 60_000 });
    const late = await serve({ late_rate: 1, late_ms: 60_000 });
    expect([await slow.send('key-1', short), await late.send('key-1', short)]).toEqual([silence, silence]);
    expect(late.sandbox.messages).toHaveLength(1);
    expect(slow.sandbox.messages).toHaveLength(0);
  });

  // Otherwise a client that gives up, cancels and sends elsewhere would have sent twice.
  test('slow: a send that is cancelled meanwhile is not accepted', async () => {
    const { send, cancel, sandbox } = await serve({ slow_rate: 1, slow_ms: 400 });
    const late = send('key-1');
    expect(answer(await cancel('key-1')).status).toBe(404);
    expect(answer(await late).body).toEqual(problem('not_sent', 'withdrawn'));
    expect(sandbox.messages).toEqual([]);
  });

  test('garbage: replaces the answer to a failure, too', async () => {
    const { send, sandbox } = await serve({ garbage_rate: 1, failure_rate: 1 });
    expect(await send('key-1')).toEqual(half);
    expect(sandbox.messages).toEqual([]);
  });

  test('is not injected into an invalid request: it is a 400', async () => {
    const { post, sandbox } = await serve({ cut_before_rate: 1 });
    expect(answer(await post('/notify', { message: '' })).status).toBe(400);
    expect(sandbox.messages).toEqual([]);
  });

  test('cut_after: a cancel returns the message id of the ledger', async () => {
    const { send, cancel, sandbox } = await serve({ cut_after_rate: 1 });
    await send('key-1');
    expect(jsonOf(await cancel('key-1')).message_id).toBe(sandbox.messages[0]?.message_id);
    expect(await send('key-1')).toBe(cut);
    expect(sandbox.messages).toHaveLength(1); // the same key is the same send
  });

  test.each([
    '/notify',
    '/health',
    '/health/live',
    '/sandbox',
    '/sandbox/messages',
    '/',
  ])('is not injected into %s', async (path) => {
    const { sandbox, get, cancel } = await serve({ cut_before_rate: 1 });
    const nextFault = vi.spyOn(sandbox, 'nextFault');
    if (path === '/notify') unknownKeySchema.parse(jsonOf(await cancel('key-1')));
    else expect(answer(await get(path)).status).toBe(200);
    expect(nextFault).not.toHaveBeenCalled();
  });
});

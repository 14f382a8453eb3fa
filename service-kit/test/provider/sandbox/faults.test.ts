import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { unknownKeySchema } from '../../../src/contract/notification.ts';
import {
  type SandboxSettings,
  sandboxSettingsSchema,
  wellBehaved,
} from '../../../src/contract/sandbox-settings.ts';
import { problemSchema } from '../../../src/http/problem.ts';
import { buildProviderApp } from '../../../src/provider/app.ts';
import { ledgerSize } from '../../../src/provider/sandbox/ledger.ts';
import { createSandbox } from '../../../src/provider/sandbox/sandbox.ts';

/** What a caller waits for an answer at most, where one is to come. */
const ample = 5000;
/** What it waits where none comes. */
const short = 150;

/** What a caller sees: an answer, a connection that was cut, or nothing before its deadline. */
type Seen = { status: number; body: string; retryAfter: string | null } | 'cut' | 'silence';

const cut = 'cut';
const silence = 'silence';
const problem = (outcome: string, reason: string) =>
  expect.stringMatching(new RegExp(`"outcome":"${outcome}","reason":"${reason}"`));

async function serve(settings: Partial<SandboxSettings> = {}) {
  const sandbox = createSandbox({ provider: 'Aldeamo', settings });
  const app = await buildProviderApp({
    provider: 'Aldeamo',
    version: '1.2.3',
    access: { credentials: [] },
    gateway: sandbox,
    sandbox,
    gatewayTimeoutMs: ample,
    logger: pino({ level: 'silent' }),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    app.server.closeAllConnections();
    return app.close();
  });
  const { port } = app.server.address() as AddressInfo;

  async function call(
    method: string,
    path: string,
    options: RequestInit = {},
    timeoutMs = ample,
  ): Promise<Seen> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...options,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const { status, headers } = response;
      return { status, body: await response.text(), retryAfter: headers.get('retry-after') };
    } catch (error) {
      return (error as Error).name === 'TimeoutError' ? silence : cut;
    }
  }
  const json = (payload: unknown) => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payload),
  });
  return {
    app,
    sandbox,
    send: (key: string, timeoutMs = ample) =>
      call(
        'POST',
        '/notify',
        {
          ...json({ message: 'Hola', customer_id: '1' }),
          headers: { 'content-type': 'application/json', 'idempotency-key': key },
        },
        timeoutMs,
      ),
    withdraw: (key: string) => call('DELETE', '/notify', { headers: { 'idempotency-key': key } }),
    check: (timeoutMs = ample) => call('GET', '/health/upstream', {}, timeoutMs),
    get: (path: string) => call('GET', path),
    set: (payload: unknown) => call('POST', '/sandbox', json(payload)),
    post: (path: string, payload?: unknown) => call('POST', path, payload === undefined ? {} : json(payload)),
  };
}

const answer = (seen: Seen) => {
  if (typeof seen === 'string') throw new Error(`there is no answer, but ${seen}`);
  return seen;
};
const jsonOf = (seen: Seen) => JSON.parse(answer(seen).body);

describe('a fault', () => {
  const sent = { status: 200, body: expect.stringContaining('"status":"sent"'), retryAfter: null };
  const half = { status: 200, body: '{"provider": "Ald', retryAfter: null };
  const never = { status: 404 };

  /** What the caller sees, how many were accepted, and what is found by the key afterwards. */
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
      { status: 503, body: expect.stringContaining('urn:problem:upstream-unhealthy'), retryAfter: null },
    ],
  ];

  test.each(faults)('%s, of a send', async (_fault, settings, seen, accepted, found) => {
    const { send, withdraw, sandbox } = await serve(settings);
    expect(await send('key-1', seen === silence ? short : ample)).toEqual(seen);
    await vi.waitFor(() => expect(sandbox.messages).toHaveLength(accepted)); // the caller may have left before
    expect(sandbox.messages).toMatchObject(
      Array(accepted).fill({ idempotency_key: 'key-1', customer_id: '1' }),
    );
    // What became of it can be asked, whatever befalls sends.
    expect(await withdraw('key-1')).toMatchObject(found as object);
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
  ])('%s takes its time, and answers', async (_fault, settings) => {
    const { send, check, sandbox } = await serve(settings);
    for (const call of [() => send('key-1'), check]) {
      const started = performance.now();
      expect(answer(await call()).status).toBe(200);
      expect(performance.now() - started).toBeGreaterThanOrEqual(119); // a timer may fire a little early
    }
    expect(sandbox.messages).toHaveLength(1);
  });

  test('slow is accepted only when its time has passed, late at once', async () => {
    const slow = await serve({ slow_rate: 1, slow_ms: 60_000 });
    const late = await serve({ late_rate: 1, late_ms: 60_000 });
    expect([await slow.send('key-1', short), await late.send('key-1', short)]).toEqual([silence, silence]);
    expect(late.sandbox.messages).toHaveLength(1);
    expect(slow.sandbox.messages).toHaveLength(0);
  });

  // Else who gives up waiting, asks, and hears that it never came would send again beside it.
  test('slow: a send that is withdrawn while it is on its way is not accepted when it comes', async () => {
    const { send, withdraw, sandbox } = await serve({ slow_rate: 1, slow_ms: 400 });
    const late = send('key-1');
    expect(answer(await withdraw('key-1')).status).toBe(404);
    expect(answer(await late).body).toEqual(problem('not_sent', 'withdrawn'));
    expect(sandbox.messages).toEqual([]);
  });

  test('garbage of what was not accepted is garbage, too', async () => {
    const { send, sandbox } = await serve({ garbage_rate: 1, failure_rate: 1 });
    expect(await send('key-1')).toEqual(half);
    expect(sandbox.messages).toEqual([]);
  });

  test('of a request that is not valid does not come: it is a 400', async () => {
    const { post, sandbox } = await serve({ cut_before_rate: 1 });
    expect(answer(await post('/notify', { message: '' })).status).toBe(400);
    expect(sandbox.messages).toEqual([]);
  });

  test('a cut answer is found by its key, with the message id of the ledger', async () => {
    const { send, withdraw, sandbox } = await serve({ cut_after_rate: 1 });
    await send('key-1');
    expect(jsonOf(await withdraw('key-1')).message_id).toBe(sandbox.messages[0]?.message_id);
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
  ])('does not befall GET %s', async (path) => {
    const { sandbox, get, withdraw } = await serve({ cut_before_rate: 1 });
    const nextFault = vi.spyOn(sandbox, 'nextFault');
    if (path === '/notify') unknownKeySchema.parse(jsonOf(await withdraw('key-1')));
    else expect(answer(await get(path)).status).toBe(200);
    expect(nextFault).not.toHaveBeenCalled();
  });
});

describe('POST /sandbox', () => {
  test('changes what is given, leaves the rest, and answers with all of it', async () => {
    const { set, get, sandbox } = await serve({ latency_ms: 3, hang_rate: 0.25 });
    const before = { ...wellBehaved, latency_ms: 3, hang_rate: 0.25 };
    expect(jsonOf(await get('/sandbox'))).toEqual(before);
    const after = { ...before, slow_rate: 0.5, slow_ms: 7, retry_after_s: 0 };
    const response = await set({ slow_rate: 0.5, slow_ms: 7, retry_after_s: 0 });
    expect([answer(response).status, jsonOf(response)]).toEqual([200, after]);
    expect(jsonOf(await get('/sandbox'))).toEqual(after);
    expect(sandbox.settings).toEqual(after);
    expect(jsonOf(await set({}))).toEqual(after);
    expect(jsonOf(await set({ slow_rate: 0, hang_rate: 1 }))).toEqual({
      ...after,
      slow_rate: 0,
      hang_rate: 1,
    });
  });

  test('holds from the next request on', async () => {
    const { set, send } = await serve();
    expect(answer(await send('key-1')).status).toBe(200);
    await set({ throttle_rate: 1 });
    expect(answer(await send('key-2')).status).toBe(429);
    await set({ throttle_rate: 0 });
    expect(answer(await send('key-3')).status).toBe(200);
  });

  test.each<[what: string, payload: unknown, path: string]>([
    ['a negative rate', { slow_rate: -0.1 }, 'slow_rate'],
    ['a rate of more than 1', { failure_rate: 1.1 }, 'failure_rate'],
    ['a rate that is a string', { hang_rate: '0.5' }, 'hang_rate'],
    ['null', { hang_rate: null }, 'hang_rate'],
    ['a negative time', { late_ms: -1 }, 'late_ms'],
    ['half a millisecond', { latency_ms: 0.5 }, 'latency_ms'],
    ['more than ten minutes', { slow_ms: 600_001 }, 'slow_ms'],
    ['a negative Retry-After', { retry_after_s: -1 }, 'retry_after_s'],
    ['a negative seed', { seed: -1 }, 'seed'],
    ['a seed of 33 bits', { seed: 2 ** 32 }, 'seed'],
    ['an unknown field', { slow: 1 }, 'slow'],
    ['an array', [], 'body'],
    ['no body', undefined, 'body'],
    ['rates of more than 1 together', { slow_rate: 0.6, garbage_rate: 0.6 }, 'body'],
    ['rates of more than 1 together with what is set', { slow_rate: 0.8 }, 'body'],
    ['a good field beside a bad one', { latency_ms: 1, slow: 1 }, 'slow'],
  ])('%s is a 400, and changes nothing', async (_what, payload, path) => {
    const { post, get } = await serve({ cut_after_rate: 0.3 });
    const before = await get('/sandbox');
    const response = await post('/sandbox', payload);
    expect(answer(response).status).toBe(400);
    expect(problemSchema.parse(jsonOf(response)).errors).toMatchObject([{ path }]);
    expect(await get('/sandbox')).toEqual(before);
  });

  test('rates of exactly 1 together are allowed, and a failure rate beside them', async () => {
    const { set } = await serve();
    const response = await set({ slow_rate: 0.25, hang_rate: 0.25, throttle_rate: 0.5, failure_rate: 1 });
    expect(answer(response).status).toBe(200);
  });

  // As doubles, in this order, they are 1.0000000000000002.
  test('rates of 0.2, 0.4, 0.3 and 0.1 are 1 together, and allowed', async () => {
    const { set } = await serve();
    const response = await set({ slow_rate: 0.2, hang_rate: 0.4, cut_before_rate: 0.3, cut_after_rate: 0.1 });
    expect(answer(response).status).toBe(200);
  });

  test('is the same lever as POST /toggle-failure', async () => {
    const { post, set, get, send } = await serve();
    expect(jsonOf(await post('/toggle-failure?failure_rate=1'))).toEqual({
      status: 'updated',
      failure_rate: 1,
    });
    expect(jsonOf(await get('/sandbox'))).toEqual({ ...wellBehaved, failure_rate: 1 });
    expect(answer(await send('key-1')).status).toBe(503);
    await set({ failure_rate: 0 });
    expect(answer(await send('key-2')).status).toBe(200);
    await set({ failure_rate: 1, latency_ms: 1 });
    await post('/toggle-failure?failure_rate=0');
    expect(jsonOf(await get('/sandbox'))).toEqual({ ...wellBehaved, latency_ms: 1 });
  });

  test('is in the docs, with every setting and what it means', async () => {
    const { get } = await serve();
    const { paths } = jsonOf(await get('/openapi.json'));
    const { properties } = paths['/sandbox'].post.requestBody.content['application/json'].schema;
    expect(Object.keys(properties).toSorted()).toEqual(Object.keys(sandboxSettingsSchema.shape).toSorted());
    for (const { description } of Object.values<{ description?: string }>(properties))
      expect(description).toMatch(/./);
    expect(Object.keys(paths['/sandbox'].get.responses)).toEqual(['200']);
  });
});

describe('the seed', () => {
  // Faults that the caller can tell from each other, and that take no time.
  const mixed = { throttle_rate: 0.25, garbage_rate: 0.2, cut_after_rate: 0.2, failure_rate: 0.3 };
  const run = async ({ send }: { send: (key: string) => Promise<Seen> }, name: string, count = 40) => {
    const seen: string[] = [];
    for (let number = 0; number < count; number += 1) {
      const one = await send(`${name}-${number}`);
      seen.push(typeof one === 'string' ? one : `${one.status} ${one.body.length}`);
    }
    return seen;
  };

  test('makes a run repeatable: in the same sandbox, and in another one', async () => {
    const served = await serve(mixed);
    await served.set({ seed: 7 });
    const first = await run(served, 'first');
    expect(new Set(first).size).toBeGreaterThanOrEqual(5); // each fault, and none
    await served.set({ seed: 7 });
    expect(await run(served, 'second')).toEqual(first);
    expect(await run(await serve({ ...mixed, seed: 7 }), 'third')).toEqual(first);
  });

  test('that is another one makes another run, and without one the run goes on', async () => {
    const served = await serve({ ...mixed, seed: 7 });
    const first = await run(served, 'first', 20);
    await served.set({ latency_ms: 0 });
    const rest = await run(served, 'rest', 20);
    expect(await run(await serve({ ...mixed, seed: 7 }), 'whole')).toEqual([...first, ...rest]);
    expect(await run(await serve({ ...mixed, seed: 8 }), 'other', 20)).not.toEqual(first);
  });

  test('of 1 it is, where none is given', async () => {
    expect(await run(await serve(mixed), 'a', 20)).toEqual(
      await run(await serve({ ...mixed, seed: 1 }), 'b', 20),
    );
  });
});

test.each([
  'slow',
  'hang',
  'cut_before',
  'cut_after',
  'late',
  'throttle',
  'garbage',
] as const)('a rate of 0.2 is a fifth of the requests: %s', (fault) => {
  // Others stand beside it, before and after.
  const others = { slow_rate: 0.1, hang_rate: 0.1, late_rate: 0.1, garbage_rate: 0.1 };
  const sandbox = createSandbox({ provider: 'Aldeamo', settings: { ...others, [`${fault}_rate`]: 0.2 } });
  const rolled = Array.from({ length: 20_000 }, () => sandbox.nextFault());
  const share = rolled.filter((one) => one === fault).length / rolled.length;
  expect(Math.abs(share - 0.2)).toBeLessThan(0.015);
});

describe('the ledger file', () => {
  function newFile() {
    const directory = mkdtempSync(join(tmpdir(), 'sandbox-ledger-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    return join(directory, 'deep', 'ledger.jsonl');
  }
  const sendTo = (customer_id: string) => ({
    customer_id,
    message: 'Pago secreto',
    idempotency_key: `key-${customer_id}`,
  });

  test('outlives the sandbox: another one on the same file goes on with it', async () => {
    const ledgerFile = newFile();
    const first = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await first.send(sendTo('1'));
    await first.send(sendTo('2'));
    const second = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(second.messages).toEqual(first.messages);
    await second.send(sendTo('3'));
    const third = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(third.messages.map(({ customer_id }) => customer_id)).toEqual(['1', '2', '3']);
    expect(third.messages).toEqual(second.messages);
  });

  test.each([
    '{"message_id":"aldeamo-2","customer_id":"ñ',
    Buffer.from('{"message_id":"aldeamo-2","customer_id":"ñ').subarray(0, -1), // in the middle of a character
  ])('a torn last line is cut off, and the next one can be read: %s', async (torn) => {
    const ledgerFile = newFile();
    await createSandbox({ provider: 'Aldeamo', ledgerFile }).send(sendTo('1'));
    const whole = readFileSync(ledgerFile, 'utf8');
    appendFileSync(ledgerFile, torn);
    const second = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(second.messages.map(({ customer_id }) => customer_id)).toEqual(['1']);
    expect(readFileSync(ledgerFile, 'utf8')).toBe(whole);
    await second.send(sendTo('3'));
    const third = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(third.messages.map(({ customer_id }) => customer_id)).toEqual(['1', '3']);
  });

  test('a torn line that is the only one leaves an empty file', () => {
    const ledgerFile = newFile();
    createSandbox({ provider: 'Aldeamo', ledgerFile }); // makes the directory
    writeFileSync(ledgerFile, '{"mess');
    expect(createSandbox({ provider: 'Aldeamo', ledgerFile }).messages).toEqual([]);
    expect(readFileSync(ledgerFile, 'utf8')).toBe('');
  });

  test('has what was accepted before the send is answered, and neither text nor phone', async () => {
    const ledgerFile = newFile();
    const sandbox = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await sandbox.send({ ...sendTo('1'), phone: '+573001234567' });
    const written = readFileSync(ledgerFile, 'utf8');
    expect(written.endsWith('\n')).toBe(true);
    expect(JSON.parse(written)).toEqual(sandbox.messages[0]);
    expect(written).not.toMatch(/secreto|573001234567/);
  });

  test('has nothing of what was not accepted', async () => {
    const ledgerFile = newFile();
    await createSandbox({ provider: 'Aldeamo', ledgerFile, settings: { failure_rate: 1 } }).send(sendTo('1'));
    expect(existsSync(ledgerFile)).toBe(false);
  });

  test('is read no further back than the ledger is long', () => {
    const ledgerFile = newFile();
    createSandbox({ provider: 'Aldeamo', ledgerFile }); // makes the directory
    const line = (customer_id: number) =>
      `{"message_id":"m","customer_id":"${customer_id}","idempotency_key":null,"accepted_at":"2026-01-01T00:00:00.000Z"}\n`;
    writeFileSync(ledgerFile, Array.from({ length: ledgerSize + 2 }, (_, index) => line(index + 1)).join(''));
    const { messages } = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(messages).toHaveLength(ledgerSize);
    expect([messages[0]?.customer_id, messages.at(-1)?.customer_id]).toEqual(['3', String(ledgerSize + 2)]);
  });

  test.each([
    [undefined],
    [''],
  ])('is none where %j is given: the ledger is in memory only', async (ledgerFile) => {
    const first = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await first.send(sendTo('1'));
    expect(first.messages).toHaveLength(1);
    expect(createSandbox({ provider: 'Aldeamo', ledgerFile }).messages).toEqual([]);
  });
});

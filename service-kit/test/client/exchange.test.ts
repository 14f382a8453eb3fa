import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import { outcomeOfStatus, parseJson } from '../../src/client/answer.ts';
import { createHttpClient } from '../../src/client/http-client.ts';

/** Long enough for an answer over loopback on a busy machine. */
const ample = 10_000;
/** The deadline in tests that wait until it has passed. */
const short = 100;

/** A client of a TCP server, which answers each request by this function. */
async function clientOf(answer: (socket: Socket) => void, timeoutMs = ample) {
  const open = new Set<Socket>();
  let opened = 0;
  const server = net.createServer((socket) => {
    opened += 1;
    open.add(socket.on('close', () => open.delete(socket)).on('error', () => {}));
    socket.on('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({ url: `http://127.0.0.1:${port}`, timeoutMs, maxConcurrency: 4 });
  onTestFinished(async () => {
    await client.close();
    server.close();
    for (const socket of open) socket.destroy();
  });
  const request = { method: 'GET', path: '/' } as const;
  return {
    /** The outcome by the status, with the code of the body as its reason. */
    send: () =>
      client.send(request, (answer) => {
        const { code } = (parseJson(answer.body) ?? {}) as { code?: string };
        return answer.status < 300
          ? { outcome: 'accepted', message_id: String(code) }
          : outcomeOfStatus(answer, code);
      }),
    call: () => client.call(request),
    opened: () => opened,
    open: async () => open.size,
  };
}

const head = (status: number, length: number | string) =>
  `HTTP/1.1 ${status} Odd\r\ncontent-length: ${length}\r\n`;
const endless = (socket: Socket) => {
  const more = () => {
    while (socket.writable && socket.write(`4000\r\n${' '.repeat(16 * 1024)}\r\n`));
  };
  socket.on('drain', more);
  more();
};

/** How the body of an answer of this status is cut, and why it is missing if the status alone says nothing. */
const cuts: [
  how: string,
  answer: (status: number) => (socket: Socket) => void,
  reason: string,
  timeoutMs?: number,
][] = [
  [
    'of 2 MB',
    (status) => (socket) => socket.write(`${head(status, 2_000_000)}\r\n${' '.repeat(2_000_000)}`),
    'answer_too_long',
  ],
  [
    'of 20 000 chunks',
    (status) => (socket) =>
      socket.write(
        `HTTP/1.1 ${status} Odd\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\n \r\n'.repeat(20_000)}0\r\n\r\n`,
      ),
    'answer_too_long',
  ],
  [
    'that never ends',
    (status) => (socket) => {
      socket.write(`HTTP/1.1 ${status} Odd\r\ntransfer-encoding: chunked\r\n\r\n`);
      endless(socket);
    },
    'answer_too_long',
  ],
  [
    'that breaks off with a FIN',
    (status) => (socket) => socket.end(`${head(status, 500)}\r\nabc`),
    'connection_lost',
  ],
  [
    'that breaks off with a reset',
    (status) => (socket) =>
      socket.write(`${head(status, 500)}\r\nabc`, () => setTimeout(() => socket.resetAndDestroy(), 20)),
    'connection_lost',
  ],
  [
    'with a chunk that is none',
    (status) => (socket) =>
      socket.write(`HTTP/1.1 ${status} Odd\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n`),
    'unreadable_answer',
  ],
  [
    'that stalls',
    (status) => (socket) => socket.write(`${head(status, 500)}\r\nabc`),
    'deadline_passed',
    short,
  ],
  [
    'that does not come',
    (status) => (socket) => socket.write(`${head(status, 500)}\r\n`),
    'deadline_passed',
    short,
  ],
];

describe.each(cuts)('an answer with a body %s', (_how, answer, reason, timeoutMs) => {
  test.each([301, 401, 403, 429])('and status %i is not_sent by its status', {
    timeout: ample / 2,
  }, async (status) => {
    const { send, open } = await clientOf(answer(status), timeoutMs);
    expect(await send()).toEqual({ outcome: 'not_sent', reason: `http_${status}` });
    await eventually(open, (count) => count === 0, 1000);
  });

  test.each([400, 422])('and status %i is not_sent, which is no outage', {
    timeout: ample / 2,
  }, async (status) => {
    const { send } = await clientOf(answer(status), timeoutMs);
    expect(await send()).toEqual({ outcome: 'not_sent', reason: `http_${status}`, no_outage: true });
  });

  test('and status 503 is unknown by its status', { timeout: ample / 2 }, async () => {
    const { send } = await clientOf(answer(503), timeoutMs);
    expect(await send()).toEqual({ outcome: 'unknown', reason: 'http_503' });
  });

  test.each([200, 201])('and status %i is unknown, because its id may be missing', {
    timeout: ample / 2,
  }, async (status) => {
    const { send } = await clientOf(answer(status), timeoutMs);
    expect(await send()).toEqual({ outcome: 'unknown', reason });
  });

  test('is no answer to a call that needs it whole', { timeout: ample / 2 }, async () => {
    const { call } = await clientOf(answer(404), timeoutMs);
    await expect(call()).rejects.toThrow();
  });
});

describe('an answer that breaks off', () => {
  test('has its Retry-After and what came of its body', async () => {
    const { send } = await clientOf((socket) =>
      socket.end(`${head(429, 500)}retry-after: 7\r\n\r\n{"code":"slow"}\n`),
    );
    expect(await send()).toEqual({ outcome: 'not_sent', reason: 'slow', retry_after_ms: 7000 });
  });

  test('after a 1xx, and before a status, is unknown', { timeout: ample / 2 }, async () => {
    const { send } = await clientOf((socket) => socket.end('HTTP/1.1 103 Early Hints\r\n\r\n'));
    expect(await send()).toEqual({ outcome: 'unknown', reason: 'connection_lost' });
  });

  test('leaves its connection to no other request', { timeout: ample / 2 }, async () => {
    let answers = 0;
    const { send, opened } = await clientOf((socket) => {
      answers += 1;
      socket.write(answers === 1 ? `${head(403, 500)}\r\nabc` : `${head(200, 12)}\r\n{"code":"7"}`);
    }, short);
    expect(await send()).toEqual({ outcome: 'not_sent', reason: 'http_403' });
    expect(await send()).toEqual({ outcome: 'accepted', message_id: '7' });
    expect(opened()).toBe(2);
  });
});

test.each([70_000, 900_000])('an answer of %i bytes is read whole', async (length) => {
  const body = JSON.stringify({ text: 'x'.repeat(length), code: '7' });
  for (const [status, outcome] of [
    [201, { outcome: 'accepted', message_id: '7' }],
    [403, { outcome: 'not_sent', reason: '7' }],
  ] as const) {
    const { send } = await clientOf((socket) => socket.write(`${head(status, body.length)}\r\n${body}`));
    expect(await send()).toEqual(outcome);
  }
});

describe('an answer that is no HTTP, with', () => {
  const dripping = (first: string, text: string) => (socket: Socket) => {
    socket.write(first);
    const drip = setInterval(() => socket.writable && socket.write(text), 5);
    socket.on('close', () => clearInterval(drip));
  };

  test.each<[what: string, answer: (socket: Socket) => void, reason: string, timeoutMs?: number]>([
    ['a web page alone', (socket) => socket.end('<html>'), 'unreadable_answer'],
    [
      'the greeting of another protocol',
      (socket) => socket.write('220 smtp.example\r\n'),
      'unreadable_answer',
    ],
    ['a frame of HTTP/2', (socket) => socket.write(Buffer.alloc(9)), 'unreadable_answer'],
    ['a length below zero', (socket) => socket.write(`${head(200, -2)}\r\n{}`), 'unreadable_answer'],
    ['a status of two digits', (socket) => socket.write(`${head(20, 2)}\r\n{}`), 'unreadable_answer'],
    [
      'a header of 1 MB',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\na: ${'x'.repeat(1_000_000)}`),
      'answer_too_long',
    ],
    [
      '100 000 headers',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(100_000)}`),
      'answer_too_long',
    ],
    ['headers that never end', dripping('HTTP/1.1 200 OK\r\n', 'a: b\r\n'), 'deadline_passed', short],
    ['1xx without an end', dripping('', 'HTTP/1.1 103 Early Hints\r\n\r\n'), 'deadline_passed', short],
    [
      'another protocol from here on',
      (socket) => socket.write('HTTP/1.1 101 Odd\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'),
      'connection_lost',
    ],
    ['nothing', (socket) => socket.end(), 'connection_lost'],
  ])(
    '%s, is unknown within the deadline, and leaves no connection',
    { timeout: ample / 2 },
    async (_what, answer, reason, timeoutMs) => {
      const { send, open } = await clientOf(answer, timeoutMs);
      expect(await send()).toEqual({ outcome: 'unknown', reason });
      await eventually(open, (count) => count === 0, 1000);
    },
  );
});

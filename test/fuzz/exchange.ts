import { once } from 'node:events';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import type { WrittenRequest } from './requests.ts';

export interface RawAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** The bytes of a request that ends its connection. */
export function bytesOf({ method, target, headers, body }: WrittenRequest): string {
  const names = new Set(headers.map(([name]) => name));
  const framing: [string, string][] =
    body === '' || names.has('content-length') || names.has('transfer-encoding')
      ? []
      : [['content-length', String(body.length)]];
  const lines = [...headers, ...framing, ['connection', 'close']].map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${target} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

const strayParts = [
  '\0',
  '\r\n',
  '\n',
  ' ',
  ':',
  '\xff',
  'HTTP/1.1',
  '\t',
  'x'.repeat(20_000),
  '\x7f',
  '\r\n x',
];

/** Bytes that were an HTTP request before an edit or two, or never were. */
export const garbageOf = (request: fc.Arbitrary<WrittenRequest>): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(request.map(bytesOf), fc.array(edit, { minLength: 1, maxLength: 2 })).map(edited),
    },
    { weight: 1, arbitrary: fc.constantFrom(...notHttp) },
    {
      weight: 1,
      arbitrary: fc
        .uint8Array({ minLength: 1, maxLength: 100 })
        .map((bytes) => Buffer.from(bytes).toString('latin1')),
    },
  );

const notHttp = [
  'CONNECT shop.example:443 HTTP/1.1\r\nhost: shop.example:443\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET /health\r\n\r\n',
  'GET / HTTP/3.0\r\nhost: x\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(3),
  part: fc.constantFrom('', ...strayParts),
});

/** Only the head is edited, because `requests.ts` edits bodies. */
function edited([bytes, edits]: [string, { at: number; cut: number; part: string }[]]): string {
  const end = bytes.indexOf('\r\n\r\n');
  return edits.reduce((text, { at, cut, part }) => {
    const position = Math.floor(at * end);
    return text.slice(0, position) + part + text.slice(position + cut);
  }, bytes);
}

/** After this time, in ms, the client ends a connection on which nothing more arrives: bytes may be no whole request. */
const silence = { beforeAnswer: 1000, afterAnswer: 50 };

/**
 * Writes the bytes to a connection of their own, and returns the answer to them; undefined if the service closed the connection
 * without one. A stream of events is left after its first one.
 */
export async function exchange(port: number, bytes: string): Promise<RawAnswer | undefined> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => {}); // a reset after the answer, where the service has not read all of a body
  let text = '';
  let ending = setTimeout(() => socket.end(), silence.beforeAnswer);
  socket.on('data', (part: string) => {
    text += part;
    clearTimeout(ending);
    ending = setTimeout(() => socket.end(), silence.afterAnswer);
    if (/^content-type: text\/event-stream/im.test(text) && text.includes('\ndata:')) socket.destroy();
  });
  const closed = once(socket, 'close');
  socket.write(bytes, 'latin1');
  await closed;
  clearTimeout(ending);
  return parseAnswer(text);
}

function parseAnswer(text: string): RawAnswer | undefined {
  const final = text.replace(/^(HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r\n]+\r\n)*\r\n)+/, '');
  const end = final.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [start = '', ...lines] = final.slice(0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const [name = '', ...value] = line.split(':');
      return [name.toLowerCase(), value.join(':').trim()] as const;
    }),
  );
  const body = final.slice(end + 4);
  const length = Number(headers.get('content-length') ?? body.length);
  return {
    status: Number(start.split(' ')[1]),
    headers,
    body: Buffer.from(body.slice(0, length), 'latin1').toString(),
  };
}

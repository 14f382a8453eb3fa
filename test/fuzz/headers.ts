import * as fc from 'fast-check';
import type { Operation } from './operations.ts';
import { seldom } from './values.ts';

export type Header = [name: string, value: string];

/** Names and values of headers that are seldom there. */
const unusualHeaders: Record<string, string[]> = {
  'content-encoding': ['gzip', 'identity', '', 'br, gzip'],
  'idempotency-key': ['a', '"a"', '"a";b=1', 'a, b', '"', '', '\xff', 'a'.repeat(300), '"a\\"b"'],
  prefer: ['respond-async', 'Respond-Async=""', 'x="respond-async, y"', 'wait=10, respond-async', '"', ';;,'],
  'x-request-id': ['abc', '3001234567', '\x01', 'a'.repeat(200), 'a b'],
  authorization: ['Bearer x', 'Bearer', 'Basic eDp5', '\xff'],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0-0-0', '\xff'],
  origin: ['null', 'http://127.0.0.1', 'https://shop.example', 'x'],
  'sec-fetch-site': ['cross-site', 'same-site', 'none', 'x'],
  'x-forwarded-host': ['shop.example'],
  accept: ['text/html', 'text/event-stream', '*/*;q=0', 'x', ';q='],
  'accept-encoding': ['gzip', 'x'],
  range: ['bytes=0-1', 'bytes=x'],
  'if-none-match': ['*', 'W/"x"'],
  expect: ['100-continue', 'x'],
  upgrade: ['websocket', 'h2c'],
  te: ['trailers'],
  'transfer-encoding': ['gzip', 'chunked, chunked', 'identity'],
  'content-length': ['-1', '1e3', '5, 5', '0x1'],
  connection: ['keep-alive', 'upgrade', 'x'],
  'x-twilio-signature': ['x', '\xff', ''],
};

const unusualHeader: fc.Arbitrary<Header> = fc
  .constantFrom(...Object.entries(unusualHeaders))
  .chain(([name, values]) => fc.tuple(fc.constant(name), fc.constantFrom(...values)));

const contentTypes = [
  'text/plain',
  'application/json; charset=latin1',
  'application/x-www-form-urlencoded',
  '%%%',
  '',
];

const header = (name: string, value: string): Header => [name, value];

/** The host, the type of the body, and one time in three something unusual. */
export function headersOf({ body }: Operation, host: string): fc.Arbitrary<Header[]> {
  const unusualHosts = ['shop.example', 'a b', '', 'x:99999', '[::1'].map((value) => [header('host', value)]);
  const hosts = seldom(
    20,
    fc.constant([header('host', host)]),
    fc.constantFrom([], [header('host', host), header('host', 'b')], ...unusualHosts),
  );
  const type = seldom(12, fc.constant('application/json'), fc.constantFrom(...contentTypes));
  const types = body ? type.map((value) => [header('content-type', value)]) : fc.constant([]);
  const unusual = seldom(3, fc.constant([]), fc.array(unusualHeader, { minLength: 1, maxLength: 3 }));
  return fc.tuple(hosts, types, unusual).map((all): Header[] => all.flat());
}

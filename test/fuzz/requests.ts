import * as fc from 'fast-check';
import { type Header, headersOf } from './headers.ts';
import type { JsonSchema, Operation } from './operations.ts';
import { mostlyFitting, seldom, textOf } from './values.ts';

/** A request as it is written to a connection. Each character of a string is one byte. */
export interface WrittenRequest {
  method: string;
  target: string;
  headers: Header[];
  body: string;
}

const utf8 = (text: string) => Buffer.from(text).toString('latin1');

/** A request for the operation, seldom right in every part. */
export const requestFor = (operation: Operation, host: string): fc.Arbitrary<WrittenRequest> =>
  fc.record({
    method: seldom(10, fc.constant(operation.method), fc.constantFrom(...methods)),
    target: fc.tuple(pathOf(operation), queryOf(operation)).map((parts) => parts.join('')),
    headers: headersOf(operation, host),
    body: operation.body ? bodyOf(operation.body) : seldom(10, fc.constant(''), fc.constantFrom('{}', 'x')),
  });

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

const hostileSegments = [
  '%FF',
  '%C0%AF',
  '%ED%A0%80',
  '%',
  '%zz',
  '%00',
  '.',
  '..',
  '%2F',
  '\xff',
  '\xc3\xa9',
  ';x=1',
];

function pathOf({ path, parameters }: Operation): fc.Arbitrary<string> {
  const segments = path.split(/(?<=\/)|(?=\/)/).map((part) => {
    const name = /^\{(.*)\}$/.exec(part)?.[1];
    const parameter = parameters.find((each) => each.in === 'path' && each.name === name);
    if (!parameter) return fc.constant(part);
    return seldom(8, textOf(withExample(parameter)).map(percentEncode), fc.constantFrom(...hostileSegments));
  });
  return seldom(
    20,
    fc.tuple(...segments).map((all) => all.join('')),
    fc.constantFrom('*', '//', 'http://x/', '/%'),
  );
}

const hostileQueries = [
  '?',
  '?&',
  '?x=1',
  '?=',
  '?x=%FF',
  '?x=%',
  '?%FF',
  '?__proto__=1',
  '?x[]=1&x[]=2',
  '??',
  '?\xff',
  '?x=1#y',
];

function queryOf({ parameters }: Operation): fc.Arbitrary<string> {
  const fields = parameters
    .filter((each) => each.in === 'query')
    .map((parameter) => {
      const field = textOf(withExample(parameter)).map(
        (value) => `${parameter.name}=${percentEncode(value)}`,
      );
      return parameter.required ? fc.option(field, { freq: 10 }) : fc.option(field, { freq: 1 });
    });
  const known = fc.tuple(...fields).map((all) => all.filter((field) => field !== null));
  return seldom(
    8,
    known.map((all) => (all.length > 0 ? `?${all.join('&')}` : '')),
    fc.tuple(known, fc.constantFrom(...hostileQueries)).map(([all, more]) => [more, ...all].join('&')),
  );
}

/** Half a surrogate pair has no encoding. */
const percentEncode = (text: string) => (text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%80');

const withExample = ({ schema, example }: { schema: JsonSchema; example?: unknown }): JsonSchema =>
  example === undefined ? schema : { example, ...schema };

const hostileParts = [
  '\xff',
  '\xc3',
  '\xed\xa0\x80',
  '\0',
  '"',
  '}',
  ',',
  '1e999',
  '\xef\xbb\xbf',
  '\\u0000',
  '\n',
];

/** JSON that fits the schema in most parts, seldom with bytes that no JSON has, a repeated name, or another body altogether. */
function bodyOf(schema: JsonSchema): fc.Arbitrary<string> {
  const json = mostlyFitting(schema).map((value) => utf8(JSON.stringify(value)));
  const edited = fc
    .tuple(json, fc.nat(), fc.constantFrom(...hostileParts))
    .map(
      ([text, at, part]) => text.slice(0, at % (text.length + 1)) + part + text.slice(at % (text.length + 1)),
    );
  const repeated = json.map((text) => text.replace(/^\{("[^"]+":)/, '{$1null,$1'));
  const others = fc.constantFrom(
    '',
    'null',
    '[]',
    '{',
    '['.repeat(20_000),
    '{"a":'.repeat(9000),
    'x'.repeat(70_000),
  );
  return fc.oneof(
    { weight: 16, arbitrary: json },
    { weight: 4, arbitrary: edited },
    { weight: 2, arbitrary: repeated },
    { weight: 1, arbitrary: others },
  );
}

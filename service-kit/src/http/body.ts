import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { httpProblem } from './http-problems.ts';
import { repeatedName } from './repeated-name.ts';
import type { Server } from './types.ts';

/**
 * Reads bodies of UTF-8 JSON (RFC 8259 section 8.1); any other type, charset or coding is a 415. Nothing is guessed or replaced,
 * because two customers or two keys would become one. An empty body is no body, so that the schema of the route decides whether
 * one is required. Schemas are strict, so that __proto__ is reported as an unknown field like any other.
 *
 * @param parse parses JSON, or throws
 */
export function parseJsonOnly(server: Server, parse: (text: string) => unknown): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    ({ headers }, body: Buffer, done: (error: Error | null, value?: unknown) => void) => {
      try {
        requireNoCoding(headers);
        requireUtf8(headers['content-type']);
        done(null, body.length === 0 ? undefined : parseJson(body, parse));
      } catch (error) {
        done(error as Error);
      }
    },
  );
  // Of any type: `curl -X POST -d ''` says that it sends a form.
  server.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => {
    if (body.length > 0) throw httpProblem('unsupported-media-type');
  });
}

/** @throws Problem of a body that was compressed or the like, because it is not decoded */
export function requireNoCoding(headers: IncomingHttpHeaders): void {
  const { 'content-encoding': encoding, 'transfer-encoding': transfer } = headers;
  if (encoding !== undefined && /[^,\s]/.test(encoding.replace(/\bidentity\b/gi, ''))) {
    throw httpProblem('unsupported-media-type', {
      detail: 'Send the body without Content-Encoding.',
      headers: { 'accept-encoding': 'identity' }, // RFC 9110 section 12.5.3
    });
  }
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked')
    throw malformed('The only supported Transfer-Encoding is chunked.');
}

function requireUtf8(contentType = ''): void {
  if (!contentType.includes(';')) return;
  const charsets = contentType.matchAll(/;\s*charset\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)/gi);
  for (const [, charset = ''] of charsets) {
    // US-ASCII is a part of UTF-8.
    if (!/^("?)(?:utf-?8|us-ascii)\1$/i.test(charset))
      throw httpProblem('unsupported-media-type', { detail: 'Send the body in UTF-8.' });
  }
}

function parseJson(body: Buffer, parse: (text: string) => unknown): unknown {
  const text = body.toString();
  // What cannot be decoded becomes U+FFFD, which a body may also contain.
  if (text.includes('\ufffd') && !isUtf8(body)) throw malformed('The body is not UTF-8.');
  if (text.startsWith('\ufeff'))
    throw malformed('The body begins with a byte order mark, which is not allowed.');
  const { value, name } = parseOrRefuse(text, parse);
  if (name === undefined) return value;
  const shown = /^[\w.-]{1,64}$/.test(name) ? `the name "${name}"` : 'a name';
  throw malformed(`The body has ${shown} twice in one object.`);
}

function parseOrRefuse(text: string, parse: (text: string) => unknown) {
  try {
    const value = parse(text);
    return { value, name: repeatedName(text, value) };
  } catch (error) {
    if (error instanceof RangeError) throw malformed('The body is nested too deeply.');
    throw malformed('The body is not JSON.');
  }
}

const malformed = (detail: string) => httpProblem('malformed-request', { detail });

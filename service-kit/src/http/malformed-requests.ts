import type { IncomingMessage } from 'node:http';
import { httpProblem } from './http-problems.ts';
import type { Server } from './types.ts';

/** Options of Node.js that leave these requests to us, because it would answer without a body, or take the first of two lines. */
export const leaveMalformedToUs = { requireHostHeader: false, joinDuplicateHeaders: true };

/**
 * Refuses what two recipients could read in two ways: a target that is no URL, no host or several, one field in two lines. And an
 * expectation, which Node.js would answer without a body.
 */
export function refuseMalformed(server: Server): void {
  server.server.on('checkExpectation', (request, response) => {
    server.server.emit('request', request, response);
  });
  /** Almost all requests have the same one. */
  let lastHost: string | undefined;
  server.addHook('onRequest', (request, _reply, done) => {
    const { raw } = request;
    if (raw.headers.host !== lastHost || lastHost === undefined) requireHost(raw);
    lastHost = raw.headers.host;
    requireSingleLines(raw);
    requireNoExpectation(raw);
    if (!isTarget(raw) && !(isPath(raw.url) && request.routeOptions.config.acceptsAnyQuery))
      throw malformed(
        'The target must be a path of printable ASCII characters, with percent-escapes in UTF-8.',
      );
    done();
  });
}

/** HTTP/1.0 has no Host. Userinfo, spaces, and several hosts are none (RFC 9112 section 3.2). */
function requireHost({ headers: { host }, httpVersion }: IncomingMessage): void {
  const isValid =
    host === undefined ? httpVersion === '1.0' : /^(?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d{0,5})?$/i.test(host);
  if (!isValid)
    throw malformed('The request must have exactly one valid Host header, such as example.com:8000.');
}

/** Fields with one value, which proxies and services may take from different lines. */
const singleFields = ['authorization', 'content-type', 'idempotency-key'];

/** Node.js has joined the lines of a field with commas, which are part of some values, too. */
function requireSingleLines({ headers, rawHeaders }: IncomingMessage): void {
  for (const field of singleFields) {
    if (!headers[field]?.includes(',')) continue;
    const lines = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === field);
    if (lines.length > 1) throw malformed(`The header ${lines[0]} must not be repeated.`);
  }
}

function requireNoExpectation({ headers: { expect } }: IncomingMessage): void {
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw httpProblem('expectation-failed');
}

const isPath = (url = '') => url.startsWith('/');

/** RFC 9112 section 3.2: a path with a query, the same after the scheme and our Host, or * in OPTIONS. */
function isTarget({ url = '', method, headers: { host } }: IncomingMessage): boolean {
  if (isPath(url)) return isWellFormed(url);
  if (url === '*') return method === 'OPTIONS';
  const [, authority] = /^https?:\/\/([^/?]+)(?:[/?]|$)/i.exec(url) ?? [];
  if (authority === undefined || !isWellFormed(url)) return false;
  return host === undefined || authority.toLowerCase() === host.toLowerCase();
}

/** Without a fragment, and with escapes that are UTF-8; the router refuses those of the path earlier. */
function isWellFormed(url: string): boolean {
  if (!/^[!"$-~]*$/.test(url)) return false;
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}

const malformed = (detail: string) => httpProblem('malformed-request', { detail });

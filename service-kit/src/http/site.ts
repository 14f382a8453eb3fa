import type { FastifyRequest } from 'fastify';
import { httpProblem } from './http-problems.ts';
import type { Server } from './types.ts';

export interface SiteOptions {
  /** The HOST that the service listens on. */
  host?: string;
  /** Names, in the form of `hostNameOf`, at which browsers reach the service besides the local ones. */
  publicHosts?: readonly string[];
}

/**
 * Refuses what a page of another site makes a browser send. Without keys a Host that is not ours is refused, because a page can
 * point its own name to this machine and would then be of our origin (DNS rebinding); a key is not to be had in this way. With and
 * without keys, a page of another origin changes nothing. X-Forwarded-Host is not read, because any client may set it.
 */
export function registerSite(
  server: Server,
  {
    host = '',
    publicHosts = [],
    credentials,
  }: SiteOptions & {
    /** None: any client is authorized. */
    credentials: readonly unknown[];
  },
): void {
  const names = new Set(publicHosts);
  const own = new Set([...publicHosts, hostNameOf(host)]);
  /** Almost all requests have the same one, which is not parsed again. */
  let lastOwn = '';
  server.addHook('onRequest', (request, _reply, done) => {
    // The target has the same one, or none (refuseMalformed); without one it is HTTP/1.0, which no browser speaks.
    const authority = request.headers.host ?? '';
    if (authority !== lastOwn && credentials.length === 0) {
      if (!isOwnHost(authority, own)) throw httpProblem('misdirected-request');
      lastOwn = authority;
    }
    if (!isSafe(request.method) && isForeign(request, authority, names)) throw httpProblem('cross-site');
    done();
  });
}

/** The host of a URL or a Host header as WHATWG has it (lower case, IDNA, addresses in one form), without the dot at its end. */
export function hostNameOf(authority: string): string | undefined {
  // A URL parser would read other parts, too, and take the rest for the host.
  if (/[^\p{L}\p{N}\p{M}._:[\]-]/u.test(authority)) return undefined;
  return URL.parse(`http://${authority}`)?.hostname.replace(/\.$/, '');
}

/** Only a public name can be rebound: neither an address nor a name without a dot, which is of this machine or its network. */
function isOwnHost(authority: string, own: ReadonlySet<string | undefined>): boolean {
  if (authority === '') return true;
  const name = hostNameOf(authority);
  if (name === undefined) return false;
  return !name.includes('.') || isIPv4(name) || name.endsWith('.localhost') || own.has(name);
}

/** Of a host in WHATWG's form, which ends with a number only as an IPv4 address. */
const isIPv4 = (name: string) => /\.\d+$/.test(name);

/** RFC 9110 section 9.2.1. */
const isSafe = (method: string) => method === 'GET' || method === 'HEAD' || method === 'OPTIONS';

/** By Sec-Fetch-Site, which a page cannot set. Browsers omit it over plain HTTP to another machine; then by Origin. */
function isForeign(
  { headers }: FastifyRequest,
  authority: string,
  publicHosts: ReadonlySet<string>,
): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return headers.origin !== undefined && !isOwnOrigin(headers.origin, authority, publicHosts);
}

/**
 * The scheme is not compared, because a proxy may terminate TLS. One that sets a Host of its own is why the public hosts are our
 * origin as well, yet not with any port: another service may listen there.
 */
function isOwnOrigin(origin: string, authority: string, publicHosts: ReadonlySet<string>): boolean {
  const from = URL.parse(origin);
  if (!from || !/^https?:$/.test(from.protocol)) return false;
  const to = URL.parse(`${from.protocol}//${authority}`); // with the same scheme, so that its default port is absent, too
  if (to?.host === from.host) return true;
  return (
    publicHosts.has(from.hostname.replace(/\.$/, '')) && (from.port === '' || from.port === (to?.port ?? ''))
  );
}

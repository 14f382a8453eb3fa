import { isIPv6 } from 'node:net';

/**
 * The URL at which this machine reaches a service that listens on HOST and PORT: a wildcard is no address to connect to, and an
 * IPv6 address stands in brackets. Undefined if `host` is neither an address nor a name.
 */
export function reachableUrl(host: string, port: number | string): string | undefined {
  const url = URL.parse(`http://${isIPv6(host) ? `[${host}]` : host}:${port}`);
  if (url?.href !== `${url?.origin}/`) return undefined;
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  return url.origin;
}

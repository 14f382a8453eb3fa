import { isIP } from 'node:net';
import { isLoopbackAddress, isPublicAddress } from 'service-kit/client/address.ts';

/** The host of a URL: an address without brackets, or a name. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, '');

/** The hosts that are this machine by their spelling. Another name that leads to it is as suspicious as one of a private address. */
const isLoopback = (host: string) => host === 'localhost' || (isIP(host) !== 0 && isLoopbackAddress(host));

/**
 * Why webhooks are not sent to this URL; undefined if they are, as far as its text says: the addresses of a name are checked with
 * each connection. Without the URL, because its path or its query may be secret.
 */
export function whyUrlRefused(text: string, allowPrivate: boolean): string | undefined {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https:// URL, or http:// on loopback';
  // The URL's parser leaves them out, and joins what is on both sides to another URL.
  if (/[\t\r\n]/.test(text)) return 'must have no tab and no line break';
  const host = hostOf(url);
  if (url.protocol === 'http:' && !isLoopback(host))
    return 'must be an https:// URL unless it is on loopback';
  if (url.username !== '' || url.password !== '') return 'must have no user and no password';
  if (url.href.includes('#')) return 'must have no fragment (#)';
  if (isIP(host) !== 0 && !isAddressAllowed(host, allowPrivate)(host))
    return 'must have a public address, unless WEBHOOK_ALLOW_PRIVATE is true';
  return undefined;
}

/** Whether webhooks for this host may be sent to an address, be it the host itself or what its name resolves to. */
export const isAddressAllowed =
  (host: string, allowPrivate: boolean) =>
  (address: string): boolean =>
    isLoopback(host) ? isLoopbackAddress(address) : allowPrivate || isPublicAddress(address);

import { isIPv4 } from 'node:net';
import { isPublicAddress } from 'service-kit/client/address.ts';
import { z } from 'zod';

/** The address at which Twilio calls twilio-service. */
export const publicUrl = () =>
  z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true })
    .refine((url) => !/[?#@]/.test(url), 'must have no query, no fragment and no user')
    // As Twilio calls it, so that the URL that it signs is the one that is verified: the host in lower case and ASCII, without the
    // default port, the path escaped.
    .transform((url) => new URL(url).href.replace(/\/+$/, ''))
    .meta({ form: 'an http:// or https:// URL' });

/** Whether Twilio itself is called, and not a double of it. Each region has a host of its own. */
export const isTwilioItself = (baseUrl: string) =>
  /(^|\.)twilio\.com\.?$/.test(URL.parse(baseUrl)?.hostname ?? '');

/**
 * Why Twilio would refuse every SMS with a callback to this URL (21609); undefined if nothing of it shows.
 * https://www.twilio.com/docs/api/errors/21609
 */
export function whyNotPublic(url: string): string | undefined {
  const { hostname } = URL.parse(url) ?? {};
  const what = hostname && whatOfHost(hostname.replace(/\.$/, ''));
  return (
    what && `is at ${what}, which Twilio (TWILIO_BASE_URL) cannot call: it would refuse each SMS (21609)`
  );
}

function whatOfHost(host: string): string | undefined {
  if (isIPv4(host)) return isPublicAddress(host) ? undefined : 'a loopback, private or reserved address';
  if (/(^|\.)localhost$/.test(host)) return 'localhost';
  if (host.includes('_')) return 'a name with _';
  if (!host.includes('.')) return host.startsWith('[') ? 'an IPv6 address' : 'a name without a dot';
  return reservedName.test(host)
    ? 'a name that is reserved for examples, tests or local networks'
    : undefined;
}

/** RFC 2606, 6761, 6762 and 8375; `internal` is reserved since 2024. */
const reservedName = /(^|\.)(example(\.(com|net|org))?|test|invalid|local|internal|home\.arpa)$/;

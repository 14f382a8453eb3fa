import { isUtf8 } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedForm {
  fields: URLSearchParams;
  /** The one in which the fields are the bytes that were sent. */
  encoding: 'utf8' | 'latin1';
}

/**
 * A form in UTF-8, else with a character for each byte, whatever charset it has: so the signature is over what was sent, and a
 * receipt is not lost for the text of an SMS. The fields that are used are ASCII.
 */
export function parseForm(body: Buffer): SignedForm {
  const unescaped = body
    .toString('latin1')
    .replace(/%([89a-f][\da-f])/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const bytes = Buffer.from(unescaped, 'latin1');
  const encoding = isUtf8(bytes) ? 'utf8' : 'latin1';
  return { fields: new URLSearchParams(bytes.toString(encoding)), encoding };
}

/**
 * Whether the request was signed with the auth token: X-Twilio-Signature is the HMAC-SHA1 of the URL and the sorted parameters.
 * Twilio sometimes omits the port from the URL, so both are tried, as the official package does.
 */
export function isSignedByTwilio(
  authToken: string,
  signature: string,
  url: string,
  { fields, encoding }: SignedForm,
): boolean {
  const parameters = sortedParameters(fields);
  const matches = [withoutPort(url), withPort(url)].map((candidate) => {
    const expected = createHmac('sha1', authToken).update(candidate).update(parameters, encoding).digest();
    return isSame(Buffer.from(signature), Buffer.from(expected.toString('base64')));
  });
  return matches.includes(true);
}

/** Each name and value, sorted by name; a repeated name has each of its values once, sorted. */
function sortedParameters(form: URLSearchParams): string {
  const names = [...new Set(form.keys())].sort();
  return names
    .flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => name + value))
    .join('');
}

/** Not by URL, which would normalize the query, while Twilio signs it as it is. */
const origin = /^(https?:\/\/)(\[[^\]]*\]|[^:/?#]*)(:\d+)?/;
const withoutPort = (url: string) => url.replace(origin, '$1$2');
const withPort = (url: string) =>
  url.replace(
    origin,
    (_all, scheme: string, host: string, port?: string) =>
      `${scheme}${host}${port ?? (scheme === 'https://' ? ':443' : ':80')}`,
  );

/** In constant time; the length is no secret. */
const isSame = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b);

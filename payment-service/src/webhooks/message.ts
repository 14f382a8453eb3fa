import { createHmac } from 'node:crypto';
import type { PaymentEvent } from '../domain/events.ts';

/** The request of a webhook delivery by the Standard Webhooks specification (https://www.standardwebhooks.com). */

/** The same bytes at each try, because the data is the JSON that is on record. */
export const bodyOf = ({ type, created_at, data }: PaymentEvent): string =>
  `{"type":${JSON.stringify(type)},"timestamp":${JSON.stringify(created_at)},"data":${data}}`;

/** Signed anew for each try, because receivers refuse a timestamp that is more than five minutes off. */
export function signedHeaders(
  id: string,
  body: string,
  secrets: readonly Buffer[],
  atMs = Date.now(),
): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = secrets.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

import { textOf } from '../language.js';
import { element, link } from './build.js';

/** @typedef {import('./reading.js').Reading} Reading */

/** @type {Record<string, import('../language.js').TextKey>} */
const own = {
  '/problems/payment-not-found': 'paymentNotFound',
  '/problems/payment-unreadable': 'paymentUnreadable',
};

/**
 * Why a request found nothing, with a link to the page about it.
 *
 * @param {Reading} reading
 */
export function readingError(reading) {
  if (reading.kind !== 'problem') return element('p', 'error', textOf('unreachable'));
  const { type = '', detail } = reading.problem;
  const key = own[type];
  const text = element(
    'span',
    '',
    key ? textOf(key) : (detail ?? textOf('respondedWith', { status: reading.status })),
  );
  if (!key && detail) text.lang = 'en'; // as the API words it
  const isOurs = type.startsWith('/problems/');
  return element('p', 'error', text, ...(isOurs ? [' ', link(encodeURI(type), textOf('problemMore'))] : []));
}

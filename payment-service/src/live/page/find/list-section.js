import { formatAmount } from '../amount.js';
import { copyOf, get, setText } from '../elements.js';
import { currentLanguage, textOf, textOfReason, translate } from '../language.js';
import { element, link, moment } from './build.js';
import { readingError } from './reading-error.js';
import { pagerOf, paymentHref } from './url-state.js';

/** @typedef {Omit<import('../../../domain/payment-view.ts').PaymentView, 'amount'> & { amount: string }} Payment */
/** @typedef {{ lookup: URLSearchParams, reading: import('./reading.js').Reading }} Result */

/**
 * What one request of a list found.
 *
 * @param {Result} result
 */
export function sectionOf({ lookup, reading }) {
  const section = element('section', 'found-section', ...headingOf(lookup));
  if (reading.kind !== 'found') {
    section.append(readingError(reading));
    return section;
  }
  const table = copyOf('found-table');
  translate(table);
  get('tbody', table).append(...reading.body.data.map(rowOf));
  section.append(table, pagerElement(lookup, reading.body));
  return section;
}

/** @param {URLSearchParams} lookup */
function headingOf(lookup) {
  const [reference, customer] = [lookup.get('reference'), lookup.get('customer_id')];
  const texts = [];
  if (reference !== null) texts.push(textOf('byReference', { text: reference }));
  if (customer !== null) texts.push(textOf('byCustomer', { text: customer }));
  return texts.length > 0 ? [element('h3', '', texts.join(' · '))] : [];
}

/**
 * The links to the pages beside this one; empty if there are none.
 *
 * @param {URLSearchParams} lookup
 * @param {{ data: Payment[], has_more: boolean }} page
 */
export function pagerElement(lookup, page) {
  const { newest, newer, older } = pagerOf(lookup, page);
  const links = [
    newest && link(newest, textOf('pageNewest')),
    newer && link(newer, textOf('pageNewer')),
    older && link(older, textOf('pageOlder')),
  ].filter((each) => each !== undefined);
  const pager = element(links.length > 0 ? 'nav' : 'div', 'pager', ...links);
  if (links.length > 0) pager.setAttribute('aria-label', textOf('pagesLabel'));
  return pager;
}

/** @param {Payment} payment */
function rowOf(payment) {
  const { payment_id, notification_service: provider, notification_status: status, notification } = payment;
  const row = copyOf('found-payment');
  const part = (/** @type {string} */ selector) => get(selector, row);
  row.dataset.status = status;
  part('a').setAttribute('href', paymentHref(payment_id));
  part('a').append(moment(payment.created_at));
  setText(part('.amount'), formatAmount(payment.amount, payment.currency, currentLanguage()));
  setText(part('.found-customer'), payment.customer_id);
  setText(part('.found-reference'), payment.reference ?? '');
  setText(part('.provider-name'), provider ?? textOf('noProviderYet'));
  part('.provider-name').dataset.provider = provider ?? 'none';
  setText(part('.status'), status);
  part('.duplicate').hidden = !payment.possible_duplicate;
  setText(part('.duplicate'), textOf('duplicate'));
  setText(part('.found-reason'), notification.reason ? textOfReason(notification.reason) : '');
  return row;
}

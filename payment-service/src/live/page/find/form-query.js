import { filters, listHref, pageSize, paymentHref } from './url-state.js';

/** What the fields of the search lead to, and which of them an error is about. */

/** A phone is never in a URL. Only one with its country code, because a customer's id may be a number. */
const phone = /^\+[\d\s().-]{7,}$/;
const times = ['created_after', 'created_before'];

/**
 * The URL that shows what the form asks for; null if a field has a phone.
 *
 * @param {FormData} form
 */
export function hrefOfForm(form) {
  const textOf = (/** @type {string} */ name) => String(form.get(name) ?? '').trim();
  const text = textOf('q');
  if ([text, ...filters.map(textOf)].some((value) => phone.test(value))) return null;
  if (text.startsWith('pmt_')) return paymentHref(text);
  const query = new URLSearchParams();
  if (text) query.set(textOf('scope') || 'q', text);
  for (const name of filters) {
    for (const given of form.getAll(name)) {
      const value = String(given).trim();
      if (value) query.append(name, times.includes(name) ? timeOf(value) : value);
    }
  }
  if (query.size === 0) query.set('limit', String(pageSize)); // all payments
  return listHref(query);
}

/**
 * A time of a field as the API takes it. A year of five digits, which browsers take, is left for the API to refuse.
 *
 * @param {string} local
 */
function timeOf(local) {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}

/**
 * A moment as a field of the form takes it, in the reader's zone; empty if it is none.
 *
 * @param {string} written
 */
export function localTimeOf(written) {
  const at = new Date(written);
  if (Number.isNaN(at.getTime())) return '';
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString();
  return local.slice(0, local.endsWith(':00.000Z') ? 16 : 19);
}

/**
 * The field of the form that an error of GET /payments is about; null if none is.
 *
 * @param {string} path
 */
export function fieldOf(path) {
  const [name = ''] = path.split('.');
  if (['reference', 'customer_id'].includes(name)) return 'q';
  return filters.includes(name) ? name : null;
}

/**
 * What the URL of the page shows. Its query is that of GET /payments, with `q` for a reference or a customer, and `payment` for one
 * payment.
 */

/** @typedef {{ name: 'overview' } | { name: 'payment', id: string } | { name: 'list', query: URLSearchParams }} View */

const path = '/live';
export const pageSize = 25;

const lookups = ['reference', 'customer_id'];
export const filters = [
  'notification_status',
  'notification_service',
  'reason',
  'possible_duplicate',
  'created_after',
  'created_before',
  'client',
];
const cursors = ['starting_after', 'ending_before'];
const known = ['q', 'limit', ...lookups, ...filters, ...cursors];

/**
 * @param {URLSearchParams} given
 * @returns {View}
 */
export function viewOf(given) {
  const id = given.get('payment');
  if (id) return { name: 'payment', id };
  const entries = [...given].filter(([name, value]) => known.includes(name) && value !== '');
  const query = new URLSearchParams(entries);
  if (query.size === 0) return { name: 'overview' };
  // A cursor is a payment of one list, and a search has two.
  if (query.has('q')) for (const name of [...lookups, ...cursors]) query.delete(name);
  return { name: 'list', query };
}

/** @param {string} id */
export const paymentHref = (id) => `${path}?${new URLSearchParams({ payment: id })}`;

/** @param {URLSearchParams} query */
export const listHref = (query) => (query.size > 0 ? `${path}?${query}` : path);

/**
 * The queries of GET /payments that find the payments of the list: two for a search, because a payment has either id.
 *
 * @param {URLSearchParams} query
 */
export function lookupsOf(query) {
  const text = query.get('q');
  if (text === null) return [query];
  return lookups.map((name) => {
    const lookup = changed(query, { [name]: text });
    lookup.delete('q');
    return lookup;
  });
}

/**
 * The links to the pages beside this one.
 *
 * @param {URLSearchParams} query
 * @param {{ data: { payment_id: string }[], has_more: boolean }} page
 * @returns {{ newest?: string, newer?: string, older?: string }}
 */
export function pagerOf(query, { data, has_more }) {
  const first = withoutCursor(query);
  const [isLater, isBackwards] = cursors.map((name) => query.has(name));
  const [newestId, oldestId] = [data[0]?.payment_id, data.at(-1)?.payment_id];
  const hasNewer = isLater || (isBackwards && has_more);
  const hasOlder = isBackwards || has_more;
  return {
    ...((isLater || isBackwards) && { newest: newestHref(query) }),
    ...(newestId && hasNewer && { newer: listHref(changed(first, { ending_before: newestId })) }),
    ...(oldestId && hasOlder && { older: listHref(changed(first, { starting_after: oldestId })) }),
  };
}

/**
 * The URL of the first page of this list.
 *
 * @param {URLSearchParams} query
 */
export function newestHref(query) {
  const first = withoutCursor(query);
  return listHref(first.size > 0 ? first : changed(first, { limit: String(pageSize) }));
}

/** @param {URLSearchParams} query */
function withoutCursor(query) {
  const first = new URLSearchParams(query);
  for (const name of cursors) first.delete(name);
  return first;
}

/**
 * @param {URLSearchParams} query
 * @param {Record<string, string>} fields
 */
function changed(query, fields) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(fields)) next.set(name, value);
  return next;
}

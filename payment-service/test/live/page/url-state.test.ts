import { describe, expect, test } from 'vitest';
import { listHref, lookupsOf, pagerOf, paymentHref, viewOf } from '../../../src/live/page/find/url-state.js';

const view = (query: string) => {
  const found = viewOf(new URLSearchParams(query));
  return found.name === 'list' ? `list ${found.query}` : found;
};
const query = (text: string) => new URLSearchParams(text);

describe('the view of a URL', () => {
  test.each([
    ['', { name: 'overview' }],
    ['q=&reason=', { name: 'overview' }],
    ['utm_source=mail', { name: 'overview' }],
    ['payment=pmt_1&q=order-1', { name: 'payment', id: 'pmt_1' }],
    ['q=order-1', 'list q=order-1'],
    [
      'notification_status=held&notification_status=pending&utm_source=mail',
      'list notification_status=held&notification_status=pending',
    ],
    ['limit=25', 'list limit=25'],
    // Both lists have ids of their own, so that one cursor cannot be in both.
    ['q=order-1&starting_after=pmt_1&reference=r', 'list q=order-1'],
    ['reference=r&starting_after=pmt_1', 'list reference=r&starting_after=pmt_1'],
  ])('%j is %j', (given, expected) => expect(view(given)).toEqual(expected));

  test('given ids and filters with signs of a URL, is found again by the links', () => {
    const id = 'pmt_1&q=x';
    expect(view(paymentHref(id).slice('/live?'.length))).toEqual({ name: 'payment', id });
    const filters = query('');
    filters.set('customer_id', 'a&b=c #1');
    expect(view(listHref(filters).slice('/live?'.length))).toEqual(`list ${filters}`);
    expect(listHref(query(''))).toBe('/live');
  });
});

describe('the requests of a list', () => {
  test('given a search, are one for the reference and one for the customer, each with the filters', () => {
    expect(lookupsOf(query('q=42&reason=expired')).map(String)).toEqual([
      'reason=expired&reference=42',
      'reason=expired&customer_id=42',
    ]);
  });

  test('given filters alone, are one', () => {
    expect(lookupsOf(query('reason=expired')).map(String)).toEqual(['reason=expired']);
  });
});

describe('the pages beside a page', () => {
  const page = (has_more: boolean, ...ids: string[]) => ({
    data: ids.map((payment_id) => ({ payment_id })),
    has_more,
  });

  test.each([
    ['the newest page', 'reason=expired', page(false, 'pmt_3', 'pmt_1'), {}],
    [
      'the newest of several',
      'reason=expired',
      page(true, 'pmt_3', 'pmt_2'),
      { older: '/live?reason=expired&starting_after=pmt_2' },
    ],
    [
      'a page in the middle',
      'reason=expired&starting_after=pmt_5',
      page(true, 'pmt_3', 'pmt_2'),
      {
        newest: '/live?reason=expired',
        newer: '/live?reason=expired&ending_before=pmt_3',
        older: '/live?reason=expired&starting_after=pmt_2',
      },
    ],
    [
      'a page on the way to newer ones',
      'reason=expired&ending_before=pmt_1',
      page(true, 'pmt_3', 'pmt_2'),
      {
        newest: '/live?reason=expired',
        newer: '/live?reason=expired&ending_before=pmt_3',
        older: '/live?reason=expired&starting_after=pmt_2',
      },
    ],
    [
      'the oldest page',
      'reason=expired&starting_after=pmt_5',
      page(false, 'pmt_3'),
      { newest: '/live?reason=expired', newer: '/live?reason=expired&ending_before=pmt_3' },
    ],
    ['an empty page', 'reason=expired&starting_after=pmt_5', page(false), { newest: '/live?reason=expired' }],
    [
      'the second page of all',
      'starting_after=pmt_5',
      page(false, 'pmt_3'),
      { newest: '/live?limit=25', newer: '/live?ending_before=pmt_3' },
    ],
  ])('given %s, are linked', (_, given, found, expected) =>
    expect(pagerOf(query(given), found)).toEqual(expected));
});

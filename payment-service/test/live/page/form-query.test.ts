import { describe, expect, test } from 'vitest';
import { fieldOf, hrefOfForm, localTimeOf } from '../../../src/live/page/find/form-query.js';

function form(fields: Record<string, string | string[]>): FormData {
  const data = new FormData();
  for (const [name, values] of Object.entries(fields))
    for (const value of [values].flat()) data.append(name, value);
  return data;
}

describe('what a search leads to', () => {
  test.each<[string, Record<string, string | string[]>, string | null]>([
    ['an id of a payment', { q: ' pmt_0199 ', reason: 'expired' }, '/live?payment=pmt_0199'],
    ['a text', { q: ' order-1 ', scope: 'q' }, '/live?q=order-1'],
    ['a text and a field', { q: '123', scope: 'customer_id' }, '/live?customer_id=123'],
    [
      'filters',
      { q: '', scope: 'q', notification_status: ['pending', 'held'], reason: ' expired ', client: '' },
      '/live?notification_status=pending&notification_status=held&reason=expired',
    ],
    ['nothing', { q: '', scope: 'q', reason: '' }, '/live?limit=25'],
    ['a phone with its country code', { q: '+57 300 123-4567', scope: 'q' }, null],
    ['a phone in a filter', { q: '', scope: 'q', reason: '+573001234567' }, null],
    ['a number that is an id', { q: '1020304050', scope: 'q' }, '/live?q=1020304050'],
  ])('given %s', (_, fields, href) => expect(hrefOfForm(form(fields))).toBe(href));

  test('given a time of the reader, is that moment in the URL, and back', () => {
    const local = '2026-01-31T12:30';
    const href = hrefOfForm(form({ created_after: local })) ?? '';
    const written = new URLSearchParams(href.slice('/live?'.length)).get('created_after') ?? '';
    expect(written).toBe(new Date(2026, 0, 31, 12, 30).toISOString());
    expect(localTimeOf(written)).toBe(local);
    expect(localTimeOf('yesterday')).toBe('');
  });

  test('given a time with a year of five digits, leaves it for the API to refuse', () => {
    const href = hrefOfForm(form({ created_before: '20266-01-31T12:30' }));
    expect(href).toBe('/live?created_before=20266-01-31T12%3A30');
  });
});

test.each([
  ['reference', 'q'],
  ['customer_id', 'q'],
  ['created_before', 'created_before'],
  ['notification_status.1', 'notification_status'],
  ['starting_after', null],
])('an error at %s is shown at %s', (path, field) => expect(fieldOf(path)).toBe(field));

import { expect, test } from 'vitest';
import { readPage } from '../../src/store/page-read.ts';

/** A list without an end, none of whose payments match. */
function endless(onRead: (reads: number) => void) {
  let reads = 0;
  return {
    rows: async () => {
      reads += 1;
      onRead(reads);
      return { payments: [], unreadable: [] };
    },
    idAfter: () => 'pmt_1',
    count: () => reads,
  };
}

test('given a client that goes away, a list of which few payments match is read on no longer', async () => {
  const gone = new AbortController();
  const reader = endless((reads) => reads === 3 && gone.abort());
  const query = { limit: 10, customer_id: '1', reason: 'expired' };
  expect(await readPage(query, reader, gone.signal)).toEqual({ payments: [], has_more: false });
  expect(reader.count()).toBe(3);
});

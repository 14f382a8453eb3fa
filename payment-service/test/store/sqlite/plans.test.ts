import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type PageRead, readPage } from '../../../src/store/page-read.ts';
import { migrateSqlite } from '../../../src/store/sqlite/migrate.ts';
import { preparePages } from '../../../src/store/sqlite/page.ts';
import { prepareReads } from '../../../src/store/sqlite/reads.ts';
import { prepareWrites } from '../../../src/store/sqlite/writes.ts';
import type { PaymentFilters, PaymentQuery } from '../../../src/store/store.ts';

const timeOf = (second: number) => `2026-01-01T00:00:0${second}.000Z`;

const pk = 'PRIMARY KEY';
const indexes: [name: string, filter: PaymentFilters, index: string, condition: string, parts: number][] = [
  ['everything', {}, pk, '', 1],
  ['a range of time', { created_after: timeOf(1), created_before: timeOf(2) }, pk, '', 1],
  ['a status', { notification_status: ['sent'] }, 'INDEX payments_by_status', 'notification_status=?', 1],
  [
    'several statuses',
    { notification_status: ['failed', 'held'] },
    'INDEX payments_by_status',
    'notification_status=?',
    2,
  ],
  [
    'a customer',
    { customer_id: '1' },
    'INDEX payments_by_status_and_customer',
    'notification_status=? AND customer_id=?',
    6,
  ],
  [
    'a customer and a status',
    { customer_id: '1', notification_status: ['sent'] },
    'INDEX payments_by_status_and_customer',
    'notification_status=? AND customer_id=?',
    1,
  ],
  ['a reference', { reference: 'order-1' }, 'INDEX payments_by_reference', 'reference=?', 1],
  ['a reason', { reason: 'expired' }, 'INDEX payments_by_reason', 'reason=?', 1],
  ['possible duplicates', { possible_duplicate: true }, 'INDEX payments_maybe_twice', '', 1],
  ['what Twilio took', { notification_service: 'Twilio' }, 'INDEX payments_by_twilio', '', 1],
  ['a client', { client: 'shop' }, 'INDEX payments_by_client', 'client=? AND notification_status=?', 6],
  [
    'a client and a status',
    { client: 'shop', notification_status: ['sent'] },
    'INDEX payments_by_client',
    'client=? AND notification_status=?',
    1,
  ],
  [
    'a client and a customer',
    { client: 'shop', customer_id: '1' },
    'INDEX payments_by_client_and_customer',
    'client=? AND customer_id=?',
    1,
  ],
  [
    'a client and a reference',
    { client: 'shop', reference: 'order-1' },
    'INDEX payments_by_client_and_reference',
    'client=? AND reference=?',
    1,
  ],
  [
    'a client and a reason',
    { client: 'shop', reason: 'expired' },
    'INDEX payments_by_client_and_reason',
    'client=? AND reason=?',
    1,
  ],
  [
    'possible duplicates of a client',
    { client: 'shop', possible_duplicate: true },
    'INDEX payments_maybe_twice_by_client',
    'client=?',
    1,
  ],
  [
    'what Twilio took of a client',
    { client: 'shop', notification_service: 'Twilio' },
    'INDEX payments_by_client_and_twilio',
    'client=?',
    1,
  ],
];
const others: PaymentFilters = { notification_service: 'Aldeamo', possible_duplicate: false };

describe.each(indexes)('a page of %s', (_name, filter, index, condition, parts) => {
  test.each<[name: string, query: Partial<PaymentQuery>, range: string]>([
    ['from the newest', {}, 'payment_id>? AND payment_id<?'],
    ['after a payment', { starting_after: 'pmt_1' }, 'payment_id>? AND payment_id<?'],
    ['before a payment', { ending_before: 'pmt_1' }, 'payment_id>? AND payment_id<?'],
  ])('%s is read in the order of its index, without a sort, whatever the other filters', async (_, query, range) => {
    const search = `${index} (${[condition, range].filter(Boolean).join(' AND ')})`;
    for (const more of [{}, others]) {
      const plans = await plansOfPage({ ...more, ...filter, ...query });
      for (const plan of plans)
        expect(stepsOf(plan)).toEqual(
          Array(parts).fill(
            expect.stringMatching(`^SEARCH payments USING (COVERING )?${RegExp.escape(search)}$`),
          ),
        );
    }
  });
});

test('of what a page may compare, as much as can be compared at a time is found by nothing but an index', async () => {
  for (const [name, filter, index] of indexes) {
    const [idAfter] = await plansOfPage({ ...others, ...filter });
    if (index !== pk) expect(idAfter?.join(), name).toContain(`COVERING ${index}`);
  }
});

test('due notifications are found by their due time', () => {
  const [plan] = plansOf(prepareWrites, /due_at <= /);
  expect(plan).toContainEqual(
    expect.stringMatching(/^SEARCH payments USING (COVERING )?INDEX payments_due \(due_at<\?\)$/),
  );
  expect(plan?.join()).not.toMatch(/SCAN|TEMP B-TREE/);
});

test('interrupted notifications are searched only among those due later', () => {
  const [plan] = plansOf(prepareWrites, /due_at > /);
  expect(plan).toEqual(['SEARCH payments USING INDEX payments_due (due_at>?)']);
});

test('notifications that are due too late are searched only among those due later', () => {
  const [plan] = plansOf(prepareWrites, /due_at > min\(/);
  expect(plan).toContain('SEARCH payments USING INDEX payments_due (due_at>?)');
  expect(plan?.join()).not.toMatch(/SCAN|TEMP B-TREE/);
});

test('the backlog and its oldest payment are found without reading other payments', () => {
  expect(plansOf(prepareReads, /WHERE notification_status = 'pending'/)).toEqual([
    [
      'SEARCH payments USING COVERING INDEX payments_by_status (notification_status=?)',
      'SCALAR SUBQUERY 1',
      'SEARCH payments USING INDEX payments_by_status (notification_status=?)',
    ],
  ]);
});

test('payments to redact are found by their age, without reading redacted ones', () => {
  const [plan] = plansOf(prepareWrites, /message = ''/);
  expect(plan?.join()).toMatch(/SEARCH payments USING INDEX payments_not_blanked \(created_at<\?\)/);
  expect(plan?.join()).not.toMatch(/SCAN (?!json_each)|TEMP B-TREE/);
});

test('notifications that are held are counted without reading other payments', () => {
  expect(plansOf(prepareReads, /reason IS NOT NULL/)).toEqual([
    ['SEARCH payments USING COVERING INDEX payments_held (reason>?)'],
  ]);
});

test('counts of recipients that are old are found by their hour', () => {
  const [plan] = plansOf(prepareWrites, /DELETE FROM sms_recipient_hours/);
  expect(plan).toContain('SEARCH sms_recipient_hours USING PRIMARY KEY (hour<?)');
  expect(plan?.join()).not.toMatch(/SCAN sms|TEMP B-TREE/);
});

const stepsTo = (prepareSome: (db: DatabaseSync) => unknown, like: RegExp) =>
  plansOf(prepareSome, like)[0]?.join();

test('webhook deliveries that are due are found by their due time, and the first of their payment by it', () => {
  const steps = stepsTo(prepareWrites, /UPDATE events SET due_at = :leased_until/);
  expect(steps).toMatch(/SEARCH due USING (COVERING )?INDEX events_due \(due_at<\?\)/);
  expect(steps).toMatch(/SEARCH events USING COVERING INDEX events_pending \(payment_id=\?\)/);
  expect(steps).not.toMatch(/SCAN|TEMP B-TREE/);
});

test('what is written about the events of a payment reads no events of other payments', () => {
  const like = /(INTO|UPDATE) events.* payment_id = (:payment_id|\?2)/s;
  const plans = plansOf(prepareWrites, like).map((plan) => plan.join());
  expect(plans).toHaveLength(3);
  for (const steps of plans) {
    expect(steps).toMatch(/events USING (COVERING )?INDEX events_pending \(payment_id=\?/);
    expect(steps).not.toMatch(/SCAN (?!CONSTANT)|TEMP B-TREE/);
  }
});

test('tries end by the id of their event', () => {
  const plans = plansOf(prepareWrites, /UPDATE events.* WHERE event_id = /s);
  expect(plans).toEqual(Array(5).fill(['SEARCH events USING INDEX sqlite_autoindex_events_1 (event_id=?)']));
});

test('events that are old are found at the beginning of the feed', () => {
  const steps = stepsTo(prepareWrites, /DELETE FROM events/);
  expect(steps).toMatch(/SEARCH events USING INTEGER PRIMARY KEY \(rowid=\?\),LIST SUBQUERY 1,SCAN events$/); // up to its limit
});

test('dead letters since a time are found by their age, without a sort', () => {
  const steps = stepsTo(prepareWrites, /delivery_status = 'dead' AND created_at >= /);
  expect(steps).toMatch(/SEARCH events USING COVERING INDEX events_dead \(created_at>\?\)/);
  expect(steps).not.toMatch(/SCAN|TEMP B-TREE/);
});

test('an erasure finds payments by their customer, and what belongs to them by their payment', () => {
  const next = stepsTo(prepareWrites, /payment_id > :after/);
  const search = '(notification_status=? AND customer_id=? AND payment_id>?)';
  expect(next?.split(`USING INDEX payments_by_status_and_customer ${search}`)).toHaveLength(7);
  expect(next).not.toMatch(/SCAN|TEMP B-TREE/);
  const plans = plansOf(prepareWrites, /json_each\(:ids\)/).map((plan) => plan.join());
  expect(plans).toHaveLength(7);
  for (const steps of plans) {
    expect(steps).toMatch(/SEARCH \w+ USING .*payment_id=\?|SEARCH suppressions USING/);
    expect(steps).not.toMatch(/SCAN (?!json_each|CONSTANT)|TEMP B-TREE/);
  }
});

test('the feed is read from its place on', () => {
  expect(plansOf(prepareReads, /FROM events WHERE number > /)).toEqual([
    ['SEARCH events USING INTEGER PRIMARY KEY (rowid>?)'],
    [
      'SEARCH events USING INTEGER PRIMARY KEY (rowid>?)',
      'CORRELATED SCALAR SUBQUERY 1',
      'SEARCH payments USING PRIMARY KEY (payment_id=?)',
    ],
  ]);
});

test.each([
  ['pending', 'events_due'],
  ['dead', 'events_dead'],
])('webhook deliveries that are %s are listed without a read of the others', (status, index) => {
  const steps = stepsTo(prepareReads, new RegExp(`INDEXED BY .*delivery_status = '${status}'`, 's'));
  expect(steps).toMatch(new RegExp(`SCAN events USING COVERING INDEX ${index}`));
  expect(steps).toMatch(/SEARCH events USING INTEGER PRIMARY KEY \(rowid=\?\)/);
});

test('webhook deliveries are counted without a read of those that were delivered', () => {
  const steps = stepsTo(prepareReads, /count\(\*\) AS pending/);
  expect(steps).toMatch(/SCAN events USING COVERING INDEX events_due/);
  expect(steps).toMatch(/SCAN events USING COVERING INDEX events_dead/);
  expect(steps).toMatch(/SEARCH events USING INTEGER PRIMARY KEY \(rowid=\?\)/);
  expect(steps).not.toMatch(/SCAN events(?! USING COVERING)/);
});

test.each([
  ['SELECT .* FROM history(?!.*kind = )', 'PRIMARY KEY (entry_id>? AND entry_id<?)'],
  ['SELECT .* FROM history.*kind = ', 'INDEX history_by_kind (kind=? AND entry_id>? AND entry_id<?)'],
  ['SELECT .* FROM statistics', 'PRIMARY KEY (hour>? AND hour<?)'],
])('what %s reads is found by an index, in its order', (like, index) => {
  const [plan, ...others] = plansOf(prepareReads, new RegExp(like, 's'));
  expect([plan, others]).toEqual([[expect.stringContaining(index)], []]);
});

/** The plans of the statements of a page. */
async function plansOfPage(query: Partial<PaymentQuery>): Promise<string[][]> {
  const reads: PageRead[] = [];
  await readPage(
    { limit: 10, ...query },
    {
      rows: (read) => {
        reads.push(read);
        return { payments: [], unreadable: [] };
      },
      idAfter: () => undefined,
    },
  );
  return plansOf((db) => {
    const { page, idAfter } = preparePages(db);
    for (const read of reads) {
      idAfter(10, read);
      page(read);
    }
  });
}

/** Without the merge of several parts. */
const stepsOf = (plan: string[]) => plan.filter((step) => !/^(MERGE \(UNION ALL\)|LEFT|RIGHT)$/.test(step));

/** The plan of each matching statement that `prepareSome` prepares. A plan without a temporary B-tree sorts by an index. */
function plansOf(prepareSome: (db: DatabaseSync) => unknown, like = /^/): string[][] {
  const db = new DatabaseSync(':memory:');
  onTestFinished(() => db.close());
  migrateSqlite(db);
  const prepare = vi.spyOn(db, 'prepare');
  prepareSome(db);
  const prepared = prepare.mock.calls.map(([sql]) => sql).filter((sql) => like.test(sql));
  return prepared.map((sql) =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail)),
  );
}

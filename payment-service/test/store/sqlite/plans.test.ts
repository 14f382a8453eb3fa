import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { migrateSqlite } from '../../../src/store/sqlite/migrate.ts';
import { preparePage, prepareReads } from '../../../src/store/sqlite/reads.ts';
import { prepareWrites } from '../../../src/store/sqlite/writes.ts';
import type { PaymentQuery } from '../../../src/store/store.ts';
import { everything } from '../store-contract.ts';

const customer_id = '1';
const notification_status = 'sent';
const starting_after = 'pmt_1';

test.each<[name: string, filter: Partial<PaymentQuery>, step: string]>([
  // A scan, but along the primary key and no further than the page.
  ['everything', {}, 'SCAN payments'],
  ['everything after a payment', { starting_after }, 'SEARCH payments USING PRIMARY KEY (payment_id<?)'],
  [
    'a status',
    { notification_status },
    'SEARCH payments USING INDEX payments_by_status (notification_status=?)',
  ],
  [
    'a status after a payment',
    { notification_status, starting_after },
    'SEARCH payments USING INDEX payments_by_status (notification_status=? AND payment_id<?)',
  ],
  [
    'a customer and a status',
    { customer_id, notification_status },
    'SEARCH payments USING INDEX payments_by_status_and_customer (notification_status=? AND customer_id=?)',
  ],
  [
    'a customer and a status after a payment',
    { customer_id, notification_status, starting_after },
    'SEARCH payments USING INDEX payments_by_status_and_customer (notification_status=? AND customer_id=? AND payment_id<?)',
  ],
])('a page of %s reads nothing but the page', (_name, filter, step) => {
  expect(planOfPage(filter)).toEqual([step]);
});

test.each<[name: string, filter: Partial<PaymentQuery>, search: string]>([
  ['a customer', { customer_id }, '(notification_status=? AND customer_id=?)'],
  [
    'a customer after a payment',
    { customer_id, starting_after },
    '(notification_status=? AND customer_id=? AND payment_id<?)',
  ],
])('a page of %s is merged from its statuses, each read as far as the page', (_name, filter, search) => {
  expect(planOfPage(filter)?.filter((step) => !/^(MERGE \(UNION ALL\)|LEFT|RIGHT)$/.test(step))).toEqual(
    Array(6).fill(`SEARCH payments USING INDEX payments_by_status_and_customer ${search}`),
  );
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

const planOfPage = (filter: Partial<PaymentQuery>) =>
  plansOf((db) => preparePage(db)({ ...everything, ...filter }))[0];

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

import { expect, test } from 'vitest';
import { migrationsThatStopOthers, statementsThatDoNotOnlyAdd } from '../../../test/additive-migration.ts';
import { schema } from '../../src/provider/idempotency/schema.ts';

test.each([
  ['CREATE TABLE holds (name text PRIMARY KEY, at timestamptz NOT NULL)'],
  ['CREATE INDEX payments_by_name ON payments (name) WHERE name IS NOT NULL'],
  ['ALTER TABLE payments ADD COLUMN reference text'],
  ['ALTER TABLE payments\n  ADD COLUMN events integer NOT NULL DEFAULT 0'],
  ['ALTER TABLE payments SET (autovacuum_vacuum_scale_factor = 0.02)'],
  ['-- DROP TABLE payments\nCREATE TABLE a (b text); -- RENAME;\nCREATE INDEX c ON a (b);'],
  ['-- The status `held` is a value of this version.'],
])('only adds: %s', (migration) => {
  expect(statementsThatDoNotOnlyAdd(migration)).toEqual([]);
});

test.each([
  ['DROP TABLE payments'],
  ['DROP INDEX payments_by_customer'],
  ['ALTER TABLE payments DROP COLUMN reason'],
  ['ALTER TABLE payments RENAME COLUMN reason TO why'],
  ['ALTER TABLE payments RENAME TO orders'],
  ['ALTER TABLE payments ALTER COLUMN segments TYPE bigint'],
  ['ALTER TABLE payments ALTER COLUMN phone SET NOT NULL'],
  ['ALTER TABLE payments ADD COLUMN reference text NOT NULL'],
  ['ALTER TABLE payments ADD COLUMN reference text UNIQUE'],
  ['ALTER TABLE payments ADD COLUMN reference text, DROP COLUMN reason'],
  ['ALTER TABLE payments ADD CONSTRAINT known CHECK (segments > 0)'],
  ['CREATE UNIQUE INDEX one ON payments (customer_id)'],
  ["UPDATE payments SET notification_status = 'held'"],
  ['DELETE FROM payments'],
  ['CREATE TABLE a (b text); alter table payments drop column reason'],
  ['CREATE TRIGGER t BEFORE INSERT ON payments EXECUTE FUNCTION f()'],
])('does not only add: %s', (migration) => {
  expect(statementsThatDoNotOnlyAdd(migration)).toHaveLength(1);
});

test('given a migration that does not only add, the release must say that older replicas stop', () => {
  const migrations = ['CREATE TABLE a (b text)', 'ALTER TABLE a ADD COLUMN c text', 'DROP TABLE a'];
  expect(migrationsThatStopOthers({ migrations, runsBeside: 0 })).toEqual([3]);
  expect(migrationsThatStopOthers({ migrations, runsBeside: 2 })).toEqual([3]);
  expect(migrationsThatStopOthers({ migrations, runsBeside: 3 })).toEqual([]);
});

test('the migrations of the sends only add, or the release says that older replicas stop', () => {
  expect(migrationsThatStopOthers(schema)).toEqual([]);
});

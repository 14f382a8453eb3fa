import { expect, test } from 'vitest';
import { migrationsThatStopOthers } from '../../../../test/additive-migration.ts';
import { schema } from '../../../src/store/postgres/schema.ts';

test('the migrations of the payments only add, or the release says that older replicas stop', () => {
  expect(migrationsThatStopOthers(schema)).toEqual([]);
});

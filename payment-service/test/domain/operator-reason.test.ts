import { expect, test } from 'vitest';
import { operatorReasonSchema } from '../../src/domain/operator-reason.ts';

const schema = operatorReasonSchema('CO');

test.each([
  ['the customer has a new number', 'the customer has a new number'],
  [
    '  INC-1042: Aldeamo is slow since 2026-11-28 14:30  ',
    'INC-1042: Aldeamo is slow since 2026-11-28 14:30',
  ],
  ['lo pidió Ana, caso 123456', 'lo pidió Ana, caso 123456'],
])('%j is a reason', (given, reason) => {
  expect(schema.parse(given)).toBe(reason);
});

test.each([
  ['', 'must not be blank'],
  ['   ', 'must not be blank'],
  ['a'.repeat(201), 'must have at most 200 characters'],
  ['two\nlines', 'must not contain control or invisible characters'],
  ['she has +57 300 123 4567 now', 'must not contain a phone, because it is logged'],
  ['she has 3001234567 now', 'must not contain a phone, because it is logged'],
  ['llamó al 300-123-4567', 'must not contain a phone, because it is logged'],
  ['+1 (213) 373-4253', 'must not contain a phone, because it is logged'],
])('%j is none: it %s', (given, message) => {
  expect(schema.safeParse(given).error?.issues.map((issue) => issue.message)).toContain(message);
});

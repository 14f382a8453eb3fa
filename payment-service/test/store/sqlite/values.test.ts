import { expect, test } from 'vitest';
import type { Payment } from '../../../src/domain/payment.ts';
import {
  changeValues,
  changingNames,
  paymentNames,
  paymentValues,
} from '../../../src/store/sqlite/values.ts';

/** Whose fields are their own names. */
const named = <Value>(fields: object = {}) =>
  new Proxy(fields, { get: (target, name) => Reflect.get(target, name) ?? name }) as Value;

const payment = named<Payment>({ notification: named({ attempts: { toJSON: () => 'attempts' } }) });
const inJson = (names: string[]) => names.map((name) => (name === 'attempts' ? JSON.stringify(name) : name));
const due_at = 'due_at' as unknown as number;

test('the values of a row are in the order of its columns', () => {
  expect(paymentValues(payment, due_at)).toEqual(inJson(paymentNames));
  expect(changeValues(payment, due_at)).toEqual([...inJson(changingNames), 'payment_id', 'fence']);
});

import { expect, test } from 'vitest';
import type { Payment } from '../src/payment.ts';
import {
  attemptNames,
  attemptValues,
  changeValues,
  changingNames,
  paymentNames,
  paymentValues,
} from '../src/store/sqlite-values.ts';

/** Whose fields are their own names. */
const named = <Value>(fields: object = {}) =>
  new Proxy(fields, { get: (target, name) => Reflect.get(target, name) ?? name }) as Value;

const payment = named<Payment>({ notification: named({ attempts: [named()] }) });
const due_at = 'due_at' as unknown as number;

test('the values of a row are in the order of its columns', () => {
  expect(paymentValues(payment, due_at)).toEqual(paymentNames);
  expect(changeValues(payment, due_at)).toEqual([...changingNames, 'payment_id', 'fence']);
});

test('the values of an attempt are in the order of its columns', () => {
  const {
    payment_id: _id,
    number: _number,
    ...attempt
  } = Object.fromEntries(attemptNames.map((name) => [name, name]));
  const made = { payment_id: 'payment_id', notification: { attempts: [attempt, attempt] } };
  expect(attemptValues(made as unknown as Payment)).toEqual(
    [1, 2].map((number) => attemptNames.map((name) => (name === 'number' ? number : name))),
  );
});

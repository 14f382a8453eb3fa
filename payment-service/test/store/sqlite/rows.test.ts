import { expect, test } from 'vitest';
import type { PaymentEvent } from '../../../src/domain/events.ts';
import type { Payment } from '../../../src/domain/payment.ts';
import { eventValues, insertedNames } from '../../../src/store/sqlite/event-rows.ts';
import { changingNames, paymentNames, paymentValues, updateValues } from '../../../src/store/sqlite/rows.ts';

/** A payment each of whose fields has its own name as its value. */
const payment = new Proxy(
  {
    attempts: Object.assign([], { toJSON: () => 'attempts' }),
    actions: Object.assign([{}], { toJSON: () => 'actions' }),
  } as object,
  {
    get: (target, name) => Reflect.get(target, name) ?? name,
  },
) as Payment;
const inJson = (names: string[]) =>
  names.map((name) => {
    if (name === 'possible_duplicate') return 0;
    return ['attempts', 'metadata', 'actions'].includes(name) ? JSON.stringify(name) : name;
  });
const due_at = 'due_at' as unknown as number;

test('the values of a row are in the order of its columns', () => {
  expect(paymentValues(payment, due_at)).toEqual(inJson(paymentNames));
  expect(updateValues(payment, due_at)).toEqual([...inJson(changingNames), 'payment_id', 'fence']);
  const names = Object.fromEntries(insertedNames.map((name) => [name, name])) as unknown as PaymentEvent;
  expect(eventValues(names, due_at)).toEqual(
    insertedNames.map((name) => (name === 'delivery_status' ? 'pending' : name)),
  );
});

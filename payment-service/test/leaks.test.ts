import { expect, test } from 'vitest';
import { leaksIn, noteSecrets, scanForLeaks } from '../../test/leaks.ts';

/** Proves that the scan, which the tests of the system run on their logs, finds leaks. */

test.each([
  ['a text', '{"msg":"sending Un secreto \\"de\\" verdad now"}'],
  ['a text without JSON', 'Error: Un secreto "de" verdad'],
  ['a text that was cut off', '{"msg":"sending Un secreto \\"de\\" ver…"}'],
  ['one line of a text', 'Error: y otra línea'],
  ['a phone that was given', '{"phone":"300 123 4567"}'],
  ['that phone without its spaces', '{"mobile":"3001234567"}'],
  ['that phone with its country code', '{"to":"573001234567"}'],
  ['a phone that was given as E.164, in national format', '{"mobile":"3107654321"}'],
  ['a phone that was not given', '{"err":"to +573009999999"}'],
  ['the default text of a payment', '{"text":"Se ha procesado un pago de $1 con éxito."}'],
])('the scan finds %s', (_name, line) => {
  noteSecrets({ message: 'Un secreto "de" verdad\ny otra línea', phone: '300 123 4567' });
  noteSecrets({ phone: '+573107654321' });
  expect(leaksIn(['{"msg":"stopped"}', line])).toEqual([line]);
  expect(() => scanForLeaks('a service', [line])).toThrow(line);
});

test('the scan, given numbers that are no phone, finds nothing', () => {
  const line = '{"time":1794650000000,"payment_id":"pmt_01a20d3a","retry":"+1","customer_id":"300123456"}';
  expect(leaksIn([line])).toEqual([]);
});

test('the scan, given no lines, throws', () => {
  expect(() => scanForLeaks('a service', [])).toThrow('a service has logged nothing');
});

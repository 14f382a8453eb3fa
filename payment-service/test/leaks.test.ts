import { expect, test } from 'vitest';
import { leaksIn, noteSecrets, scanForLeaks } from '../../test/leaks.ts';

/** The scan that every test of the system makes of its logs would find something. */

test.each([
  ['a text', '{"msg":"sending Un secreto \\"de\\" verdad now"}'],
  ['a text without JSON', 'Error: Un secreto "de" verdad'],
  ['a text that was cut off', '{"msg":"sending Un secreto \\"de\\" ver…"}'],
  ['one line of a text', 'Error: y otra línea'],
  ['a phone that was given', '{"phone":"300 123 4567"}'],
  ['that phone without its blanks', '{"mobile":"3001234567"}'],
  ['that phone abroad', '{"to":"573001234567"}'],
  ['a phone that was given as E.164, at home', '{"mobile":"3107654321"}'],
  ['a phone that nobody gave', '{"err":"to +573009999999"}'],
  ['the text of a payment without one', '{"text":"Se ha procesado un pago de $1 con éxito."}'],
])('%s is found', (_name, line) => {
  noteSecrets({ message: 'Un secreto "de" verdad\ny otra línea', phone: '300 123 4567' });
  noteSecrets({ phone: '+573107654321' });
  expect(leaksIn(['{"msg":"stopped"}', line])).toEqual([line]);
  expect(() => scanForLeaks('a service', [line])).toThrow(line);
});

test('what is none is not found', () => {
  const line = '{"time":1794650000000,"payment_id":"pmt_01a20d3a","retry":"+1","customer_id":"300123456"}';
  expect(leaksIn([line])).toEqual([]);
});

test('a scan of nothing is no proof', () => {
  expect(() => scanForLeaks('a service', [])).toThrow('a service has logged nothing');
});

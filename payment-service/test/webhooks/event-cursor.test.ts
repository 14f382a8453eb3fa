import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginning, readCursor, writeCursor } from '../../src/webhooks/event-cursor.ts';

const cursors = fc.record({
  position: fc.record({
    transaction: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    number: fc.maxSafeNat(),
  }),
  at: fc.maxSafeNat(),
});
const encoded = (text: string) => Buffer.from(text).toString('base64url');

describe('a cursor of the feed', () => {
  test('is read as it was written, and consists of characters that need no escape in a query', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        const text = writeCursor(cursor);
        expect(text).toMatch(/^[\w-]+$/);
        expect(readCursor(text)).toEqual(cursor);
      }),
    );
    const first = { position: beginning, at: 0 };
    expect(readCursor(writeCursor(first))).toEqual(first);
  });

  test.each([
    ['another version', encoded('2.0.1.5')],
    ['a part more', encoded('1.0.1.5.6')],
    ['a part less', encoded('1.0.1')],
    ['a leading zero', encoded('1.0.01.5')],
    ['a negative number', encoded('1.0.-1.5')],
    ['a number that is not exact', encoded('1.0.9007199254740993.5')],
    ['a transaction beyond 64 bits', encoded(`1.${2n ** 64n}.1.5`)],
    ['padding', `${encoded('1.0.1.55')}=`],
    ['base64 of the other alphabet', encoded('1.0.1.5').replace(/.$/, '+')],
    ['a line end', `${encoded('1.0.1.5')}\n`],
    ['nothing', ''],
    ['an id', 'evt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d'],
  ])('with %s is none', (_name, text) => expect(readCursor(text)).toBeUndefined());
});

import { SegmentedMessage } from 'sms-segments-calculator';
import { describe, expect, test } from 'vitest';
import { isGsm7, measureText } from '../../src/contract/sms-text.ts';

/** Each character below U+3000: all of GSM-7, and most of those that resemble it. */
const characters = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code));
const inLibrary = (text: string) => {
  const { encodingName, segmentsCount } = new SegmentedMessage(text);
  return { encoding: encodingName, segments: segmentsCount };
};

test('isGsm7 agrees with the library of Twilio', () => {
  const differing = characters.filter(
    (character) => isGsm7(character) !== (inLibrary(character).encoding === 'GSM-7'),
  );
  expect(differing).toEqual([]);
});

describe('measureText', () => {
  test('has fast paths that agree with the library', () => {
    const gsm7 = characters.filter(isGsm7);
    const extended = '\f^{}\\[~]|€'; // two septets each
    // Each of the first, and every 16th of the others: the library takes most of a millisecond for 70 characters.
    const notGsm7 = characters.filter((one, code) => !isGsm7(one) && (code < 0x380 || code % 16 === 0));
    const texts = [
      ...gsm7.flatMap((one) =>
        (extended.includes(one) ? [80, 81] : [160, 161]).map((times) => one.repeat(times)),
      ),
      ...[...extended, '\r', '\n', 'a'].flatMap((one) => gsm7.flatMap((other) => [one + other, other + one])),
      ...[306, 307, 459, 460, 1600].map((length) => 'a'.repeat(length)),
      ...characters.filter((one) => !isGsm7(one)),
      ...notGsm7.flatMap((one) => [one.repeat(70), `a\r\n${one}`]),
      ...[...characters.slice(0, 0x300), ...'‘’‚“”„–—…€'].flatMap((one) => [
        `ó${one}`.repeat(67),
        `${`ó${one}`.repeat(67)}\n`,
      ]),
      ...[70, 71, 134, 135, 1600].map((length) => 'ó'.repeat(length)),
      ...['😀', '👨‍👩‍👧', 'e\u0301', '\ud800', '€'].flatMap((one) =>
        [23, 34, 35, 36].map((times) => one.repeat(times)),
      ),
    ];
    const differing = texts.filter((text) => {
      const { encoding, segments } = measureText(text);
      const library = inLibrary(text);
      return encoding !== library.encoding || segments !== library.segments;
    });
    expect(differing).toEqual([]);
  }, 30_000);

  test.each([
    ['', 'GSM-7', 1],
    ['a'.repeat(160), 'GSM-7', 1],
    ['a'.repeat(161), 'GSM-7', 2],
    [`${'a'.repeat(159)}€`, 'GSM-7', 2], // two septets
    [`${'a'.repeat(158)}€`, 'GSM-7', 1],
    [`á${'a'.repeat(69)}`, 'UCS-2', 1],
    [`á${'a'.repeat(70)}`, 'UCS-2', 2],
  ])('%.5s…: %s, %i', (text, encoding, segments) => {
    expect(measureText(text)).toEqual({ encoding, segments });
  });
});

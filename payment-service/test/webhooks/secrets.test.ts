import { describe, expect, test } from 'vitest';
import { secretsOf, wrongSecrets } from '../../src/webhooks/secrets.ts';

const secretOf = (bytes: number, fill = 1) => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`;
const [one, other] = [secretOf(24), secretOf(64, 2)];

describe('WEBHOOK_SECRETS', () => {
  test.each([
    ['one', one, [24]],
    ['two with a comma', `${one},${other}`, [24, 64]],
    ['two with a comma and a space', ` ${one}, ${other} `, [24, 64]],
    ['two on lines of their own', `${one}\r\n${other}\n`, [24, 64]],
    ['one whose base64 is padded', secretOf(25), [25]],
  ])('may be %s', (_how, text, lengths) => {
    expect(wrongSecrets(text)).toEqual([]);
    expect(secretsOf(text).map(({ length }) => length)).toEqual(lengths);
  });

  test('are the bytes of the base64', () => {
    expect(secretsOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')[0]?.toString('hex')).toBe(
      '31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0',
    );
  });

  test.each([
    ['is too short', secretOf(23), 'entry 1'],
    ['is too long', secretOf(65), 'entry 1'],
    ['has no prefix', one.slice(6), 'entry 1'],
    ['has another prefix', one.replace('whsec', 'whpk'), 'entry 1'],
    ['lacks its padding', secretOf(25).replace(/=+$/, ''), 'entry 1'],
    ['has a character that is not of base64', `${one.slice(0, -1)}!`, 'entry 1'],
    ['has bits that base64 does not use', `${secretOf(25).slice(0, -3)}R==`, 'entry 1'],
    ['is in base64url', secretOf(24, 0xff).replaceAll('/', '_'), 'entry 1'],
    ['is the second of them', `${one},whsec_x`, 'entry 2'],
  ])('are refused if one %s, without naming it', (_why, text, entry) => {
    const wrong = wrongSecrets(text);
    expect(wrong).toEqual([expect.stringContaining(entry)]);
    expect(wrong.join()).not.toContain(text.split(',').at(-1));
  });

  test.each([
    ['none', ' , '],
    ['three', `${one},${other},${secretOf(30)}`],
    ['twice the same', `${one},${one}`],
  ])('are refused if there are %s', (_how, text) => {
    expect(wrongSecrets(text)).toHaveLength(1);
  });
});

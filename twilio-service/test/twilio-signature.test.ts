import fc from 'fast-check';
import twilioPackage from 'twilio';
import { describe, expect, test } from 'vitest';
import { isSignedByTwilio, parseForm } from '../src/twilio-signature.ts';

const { getExpectedTwilioSignature, validateRequest } = twilioPackage;

const token = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
const form = fc.array(
  fc.tuple(
    // Often from few names and values, so that some come more than once.
    fc.oneof(fc.constantFrom('A', 'B'), fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' })),
    fc.oneof(fc.constantFrom('', 'a', 'b'), fc.string({ maxLength: 20, unit: 'grapheme' })),
  ),
  { maxLength: 12 },
);
const origin = fc.constantFrom(
  'https://sms.example.com',
  'https://sms.example.com:443',
  'https://sms.example.com:8443',
  'http://127.0.0.1:8002',
  'http://[::1]:8002',
  'http://[::1]',
  'https://sms.example.com/behind/a:1/proxy',
);
const query = fc.option(
  fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { maxLength: 3 }),
);
const url = fc.tuple(origin, query).map(([before, pairs]) => {
  const search = pairs?.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return `${before}/webhooks/twilio/status${search ? `?${search.join('&')}` : ''}`;
});

/** A form as the official package expects it. */
function asObject(pairs: [string, string][]): Record<string, string | string[]> {
  const entries = Map.groupBy(pairs, ([name]) => name);
  return Object.fromEntries(
    [...entries].map(([name, all]) => [
      name,
      all.length === 1 ? (all[0]?.[1] ?? '') : all.map(([, value]) => value),
    ]),
  );
}
const isSigned = (authToken: string, signature: string, at: string, pairs: [string, string][]) =>
  isSignedByTwilio(authToken, signature, at, parseForm(Buffer.from(new URLSearchParams(pairs).toString())));

// __proto__ as a name would be lost in the object of the official package.
const safeForm = form.filter((pairs) => pairs.every(([name]) => name !== '__proto__'));

describe('a signature', () => {
  test('of the official package is accepted, for any input', () => {
    fc.assert(
      fc.property(token, url, safeForm, (authToken, at, pairs) => {
        const signature = getExpectedTwilioSignature(authToken, at, asObject(pairs));
        expect(isSigned(authToken, signature, at, pairs)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('is verified as by the official package, with and without the port', () => {
    const other = fc.constantFrom(
      'https://sms.example.com',
      'https://sms.example.com:443',
      'http://sms.example.com',
    );
    fc.assert(
      fc.property(token, other, other, safeForm, (authToken, signedAt, receivedAt, pairs) => {
        const signature = getExpectedTwilioSignature(authToken, `${signedAt}/s?key=a`, asObject(pairs));
        expect(isSigned(authToken, signature, `${receivedAt}/s?key=a`, pairs)).toBe(
          validateRequest(authToken, signature, `${receivedAt}/s?key=a`, asObject(pairs)),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('with another token, for another URL or another form is refused, as by the official package', () => {
    fc.assert(
      fc.property(
        token,
        token,
        url,
        url,
        safeForm,
        safeForm,
        (authToken, otherToken, at, otherUrl, pairs, others) => {
          const signature = getExpectedTwilioSignature(authToken, at, asObject(pairs));
          for (const [withToken, to, what] of [
            [otherToken, at, pairs],
            [authToken, otherUrl, pairs],
            [authToken, at, others],
          ] as const) {
            const official = validateRequest(withToken, signature, to, asObject(what));
            expect(isSigned(withToken, signature, to, what)).toBe(official);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    '',
    'x',
    '=',
    'ñ'.repeat(14),
    'A'.repeat(28),
    'A'.repeat(10_000),
  ])('given %.30j, is refused', (signature) => {
    expect(isSigned('token', signature, 'https://a.example/s', [])).toBe(false);
  });
});

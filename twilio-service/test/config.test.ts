import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { expect, test } from 'vitest';
import { receiptSettings, twilioAccount, twilioConfigSchema } from '../src/config.ts';

const digits = '0123456789abcdef'.repeat(2);
const right = {
  TWILIO_ACCOUNT_SID: `AC${digits}`,
  TWILIO_AUTH_TOKEN: digits,
  TWILIO_FROM: '+15005550006',
};

/** The lines about wrong settings. None may have a value of these. */
function wrongIn(env: Record<string, string>): string[] {
  try {
    readConfiguration(twilioConfigSchema, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    for (const value of Object.values(env).filter(Boolean)) expect(error.message).not.toContain(value);
    return error.issues.map(({ name, message }) => `${name}: ${message}`);
  }
}

test.each<[name: string, value: string, message: string | RegExp]>([
  ['TWILIO_ACCOUNT_SID', 'AC1', 'must be AC and 32 hexadecimal digits'],
  ['TWILIO_ACCOUNT_SID', `AC${digits}0`, 'must be AC and 32 hexadecimal digits'],
  ['TWILIO_ACCOUNT_SID', `ac${digits}`, /^must be AC .*; this is an account SID/],
  ['TWILIO_ACCOUNT_SID', `SK${digits}`, /; this is the SID of an API key, for TWILIO_API_KEY_SID$/],
  ['TWILIO_ACCOUNT_SID', `AC${'0'.repeat(32)}`, /placeholder/],
  ['TWILIO_ACCOUNT_SID', `AC${'x'.repeat(32)}`, 'must be AC and 32 hexadecimal digits'],
  ['TWILIO_ACCOUNT_SID', 'AC…', /placeholder/],
  ['TWILIO_ACCOUNT_SID', ` AC${digits}`, 'must not begin or end with a blank'],
  ['TWILIO_ACCOUNT_SID', `AC${digits}\n`, /line end/],
  ['TWILIO_ACCOUNT_SID', `AC${digits}\u200b`, /invisible/],
  ['TWILIO_API_KEY_SID', `AC${digits}`, /; this is an account SID, for TWILIO_ACCOUNT_SID$/],
  ['TWILIO_MESSAGING_SERVICE_SID', '+15005550006', /; a phone number belongs in TWILIO_FROM/],
  ['TWILIO_MESSAGING_SERVICE_SID', `PN${digits}`, /set the number itself in TWILIO_FROM$/],
  ['TWILIO_AUTH_TOKEN', 'secret', 'must be 32 hexadecimal digits'],
  ['TWILIO_AUTH_TOKEN', `AC${digits}`, /; this is an account SID, for TWILIO_ACCOUNT_SID$/],
  ['TWILIO_AUTH_TOKEN', 'your-auth-token', /placeholder/],
  ['TWILIO_AUTH_TOKEN', 'f'.repeat(32), /placeholder/],
  ['TWILIO_AUTH_TOKEN', `${digits} `, 'must not begin or end with a blank'],
  ['TWILIO_AUTH_TOKEN', `${digits}\r`, /line end/],
  ['TWILIO_AUTH_TOKEN_SECONDARY', `SK${digits}`, /; this is the SID of an API key/],
  ['TWILIO_API_KEY_SECRET', `SK${digits}`, /; this is the SID of an API key, for TWILIO_API_KEY_SID$/],
  ['TWILIO_API_KEY_SECRET', '<your secret>', /placeholder/],
  ['TWILIO_API_KEY_SECRET', '\u00a0s3cret', 'must not begin or end with a blank'],
  [
    'TWILIO_FROM',
    `MG${digits}`,
    /; this is the SID of a messaging service, for TWILIO_MESSAGING_SERVICE_SID$/,
  ],
  ['TWILIO_FROM', `PN${digits}`, /set the number itself in TWILIO_FROM$/],
  ['TWILIO_FROM', '15005550006', /^must be a phone number/],
  ['TWILIO_FROM', '+1 500 555 0006', /^must be a phone number/],
  ['TWILIO_FROM', '+05005550006', /^must be a phone number/],
  ['TWILIO_FROM', '99', /^must be a phone number/],
  ['TWILIO_FROM', 'Pagos Bogotá', /^must be a phone number/],
  ['TWILIO_FROM', 'TwelveLetters', /^must be a phone number/],
  ['TWILIO_FROM', '+&-_ 12', /^must be a phone number/],
  ['TWILIO_FROM', 'whatsapp:+15005550006', /^must be a phone number/],
  ['TWILIO_FROM', '+57…', /placeholder/],
])('given %s=%j, the start is refused without the value', (name, value, message) => {
  const key = { TWILIO_API_KEY_SID: `SK${digits}`, TWILIO_API_KEY_SECRET: 'secret' };
  const service = { TWILIO_FROM: '' };
  const rest = {
    ...(name.startsWith('TWILIO_API') && key),
    ...(name === 'TWILIO_MESSAGING_SERVICE_SID' && service),
  };
  const lines = wrongIn({ ...right, ...rest, [name]: value });
  expect(lines).toEqual([
    typeof message === 'string'
      ? `${name}: ${message}`
      : expect.stringMatching(new RegExp(message.source.replace('^', `^${name}: `))),
  ]);
});

test.each([
  '+573001234567',
  '+15005550006',
  '85432',
  '890',
  'Pagos',
  'Pagos & Co',
  'a-1_b+c',
])('given %j as the sender, accepts it', (TWILIO_FROM) => {
  const config = readConfiguration(twilioConfigSchema, { ...right, TWILIO_FROM });
  expect(twilioAccount(config)?.sender).toEqual({ From: TWILIO_FROM });
});

test('given several wrong settings, names each of them at once', () => {
  const lines = wrongIn({
    ...right,
    TWILIO_ACCOUNT_SID: 'AC1',
    TWILIO_FROM: `MG${digits}`,
    PUBLIC_URL: 'http://localhost:8002',
    GATEWAY_TIMEOUT_MS: '2s',
  });
  const names = lines.map((line) => line.split(':')[0]);
  expect(names.toSorted()).toEqual(['GATEWAY_TIMEOUT_MS', 'PUBLIC_URL', 'TWILIO_ACCOUNT_SID', 'TWILIO_FROM']);
});

const unreachable: [url: string, what: string][] = [
  ['http://localhost:8002', 'localhost'],
  ['https://sms.localhost', 'localhost'],
  ['https://LOCALHOST./twilio', 'localhost'],
  ['https://twilio-service:8002', 'a name without a dot'],
  ['https://sms_pagos.co', 'a name with _'],
  ['https://sms.my_shop.co', 'a name with _'],
  ['http://127.0.0.1:8002', 'a loopback, private or reserved address'],
  ['http://2130706433', 'a loopback, private or reserved address'],
  ['https://192.168.1.20', 'a loopback, private or reserved address'],
  ['https://172.31.255.255', 'a loopback, private or reserved address'],
  ['https://100.64.0.1', 'a loopback, private or reserved address'],
  ['https://169.254.169.254', 'a loopback, private or reserved address'],
  ['http://[::1]:8002', 'an IPv6 address'],
  ['http://[::ffff:10.0.0.1]', 'an IPv6 address'],
  ['https://sms.example.com', 'a name that is reserved'],
  ['https://pagos.local', 'a name that is reserved'],
];
const twilioItself = ['https://api.twilio.com', 'https://api.dublin.ie1.twilio.com'];

test.each(unreachable)('given %s, refuses to ask Twilio itself for receipts there', (PUBLIC_URL, what) => {
  for (const TWILIO_BASE_URL of twilioItself)
    expect(wrongIn({ ...right, TWILIO_BASE_URL, PUBLIC_URL })).toEqual([
      expect.stringMatching(`^PUBLIC_URL: is at ${what}.*, which Twilio .* cannot call: .*21609`),
    ]);
  for (const TWILIO_BASE_URL of ['http://127.0.0.1:9000', 'https://mytwilio.com'])
    expect(wrongIn({ ...right, TWILIO_BASE_URL, PUBLIC_URL })).toEqual([]);
});

test.each([
  ['https://SMS.Pagos.co:443/', 'https://sms.pagos.co'],
  ['http://sms.pagos.co:80/twilio/', 'http://sms.pagos.co/twilio'],
  ['https://sms.pagos.co:8443', 'https://sms.pagos.co:8443'],
  ['https://señal.co', 'https://xn--seal-hqa.co'],
  ['https://pagos.co/a b/ñ/../c//', 'https://pagos.co/a%20b/c'],
  [' https://pagos.co\n', 'https://pagos.co'],
  ['https://172.32.0.1', 'https://172.32.0.1'],
  ['https://example.com.co', 'https://example.com.co'],
])('given %j, asks for receipts at %s', (PUBLIC_URL, expected) => {
  const config = readConfiguration(twilioConfigSchema, { ...right, PUBLIC_URL });
  expect(receiptSettings(config)?.publicUrl).toBe(expected);
});

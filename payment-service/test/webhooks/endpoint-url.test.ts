import { describe, expect, test } from 'vitest';
import { isAddressAllowed, whyUrlRefused } from '../../src/webhooks/endpoint-url.ts';

const always = [
  'https://shop.example',
  'https://shop.example:8443/hooks/payments?token=a%20b',
  'https://8.8.8.8/hooks',
  'https://[2606:4700::1111]/',
  'http://localhost:9000/hooks',
  'http://127.0.0.1:9000/',
  'http://127.9.8.7/',
  'http://[::1]:9000/',
  'https://localhost/',
];
const ifPrivate = [
  'https://10.0.0.1/',
  'https://192.168.1.10:8443/hooks',
  'https://169.254.169.254/latest/meta-data/',
  'https://[fd00::1]/',
  'https://[fe80::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://[64:ff9b::a00:1]/',
  'https://[2002:a00:1::]/',
  'https://0.0.0.0/',
  'https://[::]/',
  'https://0x0a000001/',
  'https://167772161/',
  'https://012.1/',
  'https://10.0.0.1./',
];
const never: [why: RegExp, url: string][] = [
  [/https/, ''],
  [/https/, 'shop.example'],
  [/https/, 'ftp://shop.example/'],
  [/https/, 'file:///etc/passwd'],
  [/unless it is on loopback/, 'http://shop.example/'],
  [/unless it is on loopback/, 'http://10.0.0.1/'],
  [/unless it is on loopback/, 'http://localhost.shop.example/'],
  [/unless it is on loopback/, 'http://shop.localhost/'],
  [/unless it is on loopback/, 'http://0.0.0.0/'],
  [/user/, 'https://user@shop.example/'],
  [/user/, 'https://:password@shop.example/'],
  [/fragment/, 'https://shop.example/#part'],
  [/fragment/, 'https://shop.example/#'],
  [/line break/, 'https://shop.example/hooks\nhttps://shop.example/others'],
  [/line break/, 'https://shop.example/hooks\r\nx-header: value'],
  [/line break/, 'https://shop.\texample/hooks'],
];

describe('a WEBHOOK_URL', () => {
  test.each(always)('of %s is taken', (url) => {
    expect([whyUrlRefused(url, false), whyUrlRefused(url, true)]).toEqual([undefined, undefined]);
  });

  test.each(ifPrivate)('of %s is taken only if private addresses are allowed', (url) => {
    expect(whyUrlRefused(url, false)).toMatch(/WEBHOOK_ALLOW_PRIVATE/);
    expect(whyUrlRefused(url, true)).toBeUndefined();
  });

  test.each(never)('is refused with %s: %s', (why, url) => {
    for (const allowPrivate of [false, true]) expect(whyUrlRefused(url, allowPrivate)).toMatch(why);
  });

  test('that is refused is not repeated, because its path may be secret', () => {
    expect(whyUrlRefused('http://shop.example/hooks/hidden', false)).not.toMatch(/shop|hidden/);
  });
});

describe('an address that a name resolves to', () => {
  const addresses = ['8.8.8.8', '10.0.0.1', '127.0.0.1', '::1'];
  test.each([
    ['shop.example', false, ['8.8.8.8']],
    ['shop.example', true, addresses],
    ['localhost', false, ['127.0.0.1', '::1']],
    ['localhost', true, ['127.0.0.1', '::1']],
  ])('of %s, given WEBHOOK_ALLOW_PRIVATE=%s, is allowed if it is of %j', (host, allowPrivate, allowed) => {
    expect(addresses.filter(isAddressAllowed(host, allowPrivate))).toEqual(allowed);
  });
});

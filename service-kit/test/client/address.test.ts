import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../src/client/address.ts';

/** The first and the last address of each range that is not public, and what is next to them if that is public. */
const ranges: [range: string, first: string, last: string, adjacent: string[]][] = [
  ['this network', '0.0.0.0', '0.255.255.255', ['1.0.0.0']],
  ['private 10/8', '10.0.0.0', '10.255.255.255', ['9.255.255.255', '11.0.0.0']],
  ['carrier-grade NAT', '100.64.0.0', '100.127.255.255', ['100.63.255.255', '100.128.0.0']],
  ['loopback', '127.0.0.0', '127.255.255.255', ['126.255.255.255', '128.0.0.0']],
  ['link-local, cloud metadata', '169.254.0.0', '169.254.255.255', ['169.253.255.255', '169.255.0.0']],
  ['private 172.16/12', '172.16.0.0', '172.31.255.255', ['172.15.255.255', '172.32.0.0']],
  ['IETF protocols', '192.0.0.0', '192.0.0.255', ['191.255.255.255', '192.0.1.0']],
  ['documentation 1', '192.0.2.0', '192.0.2.255', ['192.0.1.255', '192.0.3.0']],
  ['private 192.168/16', '192.168.0.0', '192.168.255.255', ['192.167.255.255', '192.169.0.0']],
  ['measurements', '198.18.0.0', '198.19.255.255', ['198.17.255.255', '198.20.0.0']],
  ['documentation 2', '198.51.100.0', '198.51.100.255', ['198.51.99.255', '198.51.101.0']],
  ['documentation 3', '203.0.113.0', '203.0.113.255', ['203.0.112.255', '203.0.114.0']],
  ['multicast, reserved and broadcast', '224.0.0.0', '255.255.255.255', ['223.255.255.255']],
  ['unspecified and IPv6 loopback', '::', '::1', []],
  ['IPv4-compatible', '::8.8.8.8', '::255.255.255.255', []],
  ['local NAT64', '64:ff9b:1::', '64:ff9b:1::8.8.8.8', []],
  ['discard', '100::', '100::ffff', []],
  ['Teredo', '2001::', '2001:1ff:ffff::', ['2001:200::', '2000:ffff::']],
  ['IPv6 documentation', '2001:db8::', '2001:db8:ffff::', ['2001:db7::', '2001:db9::']],
  ['IPv6 documentation, large', '3fff::', '3fff:fff:ffff::', ['3ffe:ffff::', '3fff:1000::']],
  ['segment routing', '5f00::', '5f00::1', []],
  ['unique local', 'fc00::', 'fd99:ffff::', []],
  ['IPv6 link-local', 'fe80::', 'feb9:ffff::', []],
  ['IPv6 site-local', 'fec0::', 'fef9::', []],
  ['IPv6 multicast', 'ff00::', 'ffff::', []],
];

describe('an address', () => {
  test.each(
    ranges,
  )('of %s is not public from its first to its last, and what is next to it is', (...range) => {
    const [, first, last, adjacent] = range;
    expect([first, last].filter(isPublicAddress)).toEqual([]);
    expect(adjacent.filter(isPublicAddress)).toEqual(adjacent);
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
  ])('such as %s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    ...[
      '::ffff:10.0.0.1',
      '::ffff:a00:1',
      '::ffff:127.0.0.1',
      '0:0:0:0:0:ffff:c0a8:101',
      '::FFFF:169.254.169.254',
    ],
    ...['64:ff9b::10.0.0.1', '64:ff9b::7f00:1', '2002:a00:1::', '2002:7f00:1::1', '2002:c0a8:0101::'],
    ...['fe80::1%eth0', 'fe80::1%1', '', 'shop.example', '[::1]', '10.0.0.1%1'],
  ])('such as %s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test('of IPv4 is as public in each of its translations to IPv6', () => {
    const property = fc.property(fc.ipV4(), (address) => {
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      const [high, low] = [(a << 8) | b, (c << 8) | d].map((part) => part.toString(16));
      const translations = [`::ffff:${address}`, `64:ff9b::${high}:${low}`, `2002:${high}:${low}::1`];
      expect(translations.map(isPublicAddress)).toEqual(Array(3).fill(isPublicAddress(address)));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test('of IPv6 outside of 2000::/3 is not public unless it is a translation of IPv4', () => {
    const given = new BlockList();
    given.addSubnet('2000::', 3, 'ipv6');
    given.addSubnet('::ffff:0:0', 96, 'ipv6');
    given.addSubnet('64:ff9b::', 96, 'ipv6');
    const property = fc.property(fc.ipV6(), (address) => {
      fc.pre(!given.check(address, 'ipv6'));
      expect(isPublicAddress(address)).toBe(false);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

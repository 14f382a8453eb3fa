import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * Addresses that are not of the public Internet, by IANA's registries for special purposes: private, link-local, loopback, shared
 * (carrier-grade NAT), unspecified, multicast, reserved, for documentation and for measurements.
 */
const reservedIpv4: [network: string, prefix: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Of those that IPv6 has given out (2000::/3). */
const reservedIpv6: [network: string, prefix: number][] = [
  ['2001::', 23], // Teredo, ORCHID and others
  ['2001:db8::', 32],
  ['3fff::', 20],
];

const reserved = new BlockList();
/** What may be public in IPv6. Its other addresses are local, multicast, or not given out. */
const routed = new BlockList();
routed.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of reservedIpv6) reserved.addSubnet(network, prefix, 'ipv6');

/** IPv6 addresses that lead to an IPv4 address: mapped, of NAT64, and of 6to4. They are as public as that one. */
for (const translation of ['::ffff:', '64:ff9b::']) routed.addSubnet(`${translation}0.0.0.0`, 96, 'ipv6');
for (const [network, prefix] of reservedIpv4) {
  reserved.addSubnet(network, prefix, 'ipv4');
  reserved.addSubnet(`::ffff:${network}`, 96 + prefix, 'ipv6');
  reserved.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
  reserved.addSubnet(sixToFour(network), 16 + prefix, 'ipv6');
}

function sixToFour(network: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = network.split('.').map(Number);
  return `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Of an IPv4 or IPv6 address, without brackets. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !reserved.check(address, 'ipv4');
  return isIP(address) === 6 && routed.check(address, 'ipv6') && !reserved.check(address, 'ipv6');
}

export const isLoopbackAddress = (address: string): boolean =>
  loopback.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');

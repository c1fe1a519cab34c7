import { BlockList, isIP, SocketAddress } from 'node:net';

const GROUPS = 8;
/** What one customer gets of IPv6, and so can change at will within. */
const NETWORK_GROUPS = 4;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/** What nobody outside can send from: RFC 1918, 6598, 3927, 4193 and 4291 2.5.6. */
const NEAR = new BlockList();
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  NEAR.addSubnet(network, prefix, 'ipv4');
NEAR.addAddress('::1', 'ipv6');
NEAR.addSubnet('fc00::', 7, 'ipv6');
NEAR.addSubnet('fe80::', 10, 'ipv6');

/** The peer of a Unix socket, which has no address. */
export const UNIX_PEER = 'unix';

/**
 * @returns the one spelling of an address: without a zone, an IPv4-mapped one as IPv4; undefined for what is none
 */
export function canonicalAddress(text: string): string | undefined {
  const address = text.replace(/%.*/, '');
  const family = isIP(address);
  if (family !== 6) return family === 4 ? address : undefined;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return MAPPED.exec(canonical)?.[1] ?? canonical;
}

/** @param peer a canonical address, or `unix` @returns whether nobody outside of this network can be it */
export function isNear(peer: string): boolean {
  if (peer === UNIX_PEER) return true;
  return isIP(peer) !== 0 && NEAR.check(peer, peer.includes(':') ? 'ipv6' : 'ipv4');
}

/** @returns what a canonical address is counted under: itself, or the /64 network of an IPv6 one */
export function countedAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const between = tail === undefined ? 0 : GROUPS - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, between)).fill('0'), ...after];
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

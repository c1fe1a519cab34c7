import { BlockList, isIP, SocketAddress } from 'node:net';

const GROUPS = 8;
/** A /64 network: one customer gets at least that of IPv6, and can change addresses within it at will. */
const NETWORK_GROUPS = 4;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/** Addresses from which nobody outside of this network can send: RFC 1918, 6598, 3927, 4193 and 4291 2.5.6. */
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

/** @returns the canonical spelling of an address: without a zone, IPv4-mapped as IPv4; undefined for another text */
export function canonicalAddress(text: string): string | undefined {
  const address = text.replace(/%.*/, '');
  const family = isIP(address);
  if (family !== 6) return family === 4 ? address : undefined;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return MAPPED.exec(canonical)?.[1] ?? canonical;
}

/** @param peer a canonical address, or `unix` @returns whether the peer must be inside this network */
export function isNear(peer: string): boolean {
  if (peer === UNIX_PEER) return true;
  return isIP(peer) !== 0 && NEAR.check(peer, peer.includes(':') ? 'ipv6' : 'ipv4');
}

/** @returns the id under which a canonical address is counted: itself, or the /64 network of an IPv6 address */
export function countedAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const between = tail === undefined ? 0 : GROUPS - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, between)).fill('0'), ...after];
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

import { BlockList, isIP } from 'node:net';
import { canonicalAddress, UNIX_PEER } from '../platform/ip-address.ts';

const BITS = { 4: 32, 6: 128 } as const;
/** A larger network is nobody's own; two halves of all addresses, such as 0.0.0.0/1, would trust everybody. */
const PREFIX_MIN = { 4: 8, 6: 7 } as const;
/** The prefix length of ::ffff:0:0/96, which holds every IPv4 address. */
const MAPPED_BITS = 96;

/**
 * Reads one entry of TRUSTED_PROXIES: an address, a CIDR, or `unix`.
 * @returns the entry for `trustedProxies`; undefined for any other text, and for a network that is too large
 */
export function parseProxy(text: string): string | undefined {
  if (text === UNIX_PEER) return text;
  const [, host = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalAddress(host);
  if (address === undefined) return undefined;
  const family = isIP(address) === 4 ? 4 : 6;
  const given = bits === undefined ? undefined : Number(bits);
  const isMapped = family === 4 && host.includes(':');
  const prefix = given === undefined ? BITS[family] : isMapped ? given - MAPPED_BITS : given;
  return prefix >= PREFIX_MIN[family] && prefix <= BITS[family] ? `${address}/${prefix}` : undefined;
}

/**
 * @param entries as `parseProxy` returns them
 * @returns a function that tells whether a canonical address or `unix` is trusted
 */
export function trustedProxies(entries: readonly string[]): (peer: string) => boolean {
  if (entries.length === 0) return () => false;
  // One list for each family: an IPv6 network must not match an IPv4 address.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  const isUnixTrusted = entries.includes(UNIX_PEER);
  for (const entry of entries) {
    if (entry === UNIX_PEER) continue;
    const [address = '', prefix] = entry.split('/');
    const family = familyOf(address);
    lists[family].addSubnet(address, Number(prefix), family);
  }
  return (peer) => {
    if (isIP(peer) === 0) return peer === UNIX_PEER && isUnixTrusted;
    const family = familyOf(peer);
    return lists[family].check(peer, family);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

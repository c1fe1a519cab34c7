import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/config.ts';
import { trustedProxies } from '../config/trusted-proxies.ts';
import type { UnnamedProxy } from '../messages/messages.ts';
import { canonicalAddress, countedAddress, isNear, UNIX_PEER } from '../platform/ip-address.ts';

const HEADER = 'x-forwarded-for';
/** Most entries of X-Forwarded-For that are read: more proxies in a row than anybody has. */
const ENTRIES_MAX = 20;
/** An address with its port, as some proxies write it. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5})$/;
/** Most unnamed proxies that are kept: enough to see what is wrong, and anybody can send such a header. */
const UNNAMED_MAX = 5;

/**
 * Tells where requests come from: from the peer, or, when TRUSTED_PROXIES names the peer, from the address in its
 * X-Forwarded-For. No other header decides anything.
 *
 * State: the peers that send a proxy header and are not named in TRUSTED_PROXIES; at most five inside this network and
 * five outside, so that outside ones do not hide one inside.
 */
export class ClientAddresses {
  readonly #isTrusted: (peer: string) => boolean;
  readonly #onUnnamed: (all: readonly UnnamedProxy[]) => void;
  readonly #unnamed = new Map<string, UnnamedProxy>();

  /** @param onUnnamed called with all unnamed proxies when a new one is met */
  constructor(
    { TRUSTED_PROXIES }: Pick<Config, 'TRUSTED_PROXIES'>,
    onUnnamed: (all: readonly UnnamedProxy[]) => void,
  ) {
    this.#isTrusted = trustedProxies(TRUSTED_PROXIES);
    this.#onUnnamed = onUnnamed;
  }

  /** Records the peer if it sends a proxy header and TRUSTED_PROXIES does not name it. */
  note({ headers, socket }: IncomingMessage): void {
    if (
      headers[HEADER] === undefined &&
      headers.forwarded === undefined &&
      headers['x-real-ip'] === undefined
    )
      return;
    const address = peerOf(socket);
    if (address === undefined || this.#isTrusted(address) || this.#unnamed.has(address)) return;
    const proxy = { address, isNear: isNear(address) };
    const alike = [...this.#unnamed.values()].filter((other) => other.isNear === proxy.isNear);
    if (alike.length >= UNNAMED_MAX) return;
    this.#unnamed.set(address, proxy);
    this.#onUnnamed([...this.#unnamed.values()]);
  }

  /** @returns the id under which a request is counted: an IPv4 address, the /64 network of an IPv6 one, or `unix` */
  countedOf({ headers, socket }: IncomingMessage): string {
    const peer = peerOf(socket);
    if (peer === undefined) return 'unknown';
    const header = headers[HEADER];
    return countedAddress(
      header === undefined || !this.#isTrusted(peer) ? peer : this.#firstOther(peer, String(header)),
    );
  }

  /**
   * Goes from the right past the trusted proxies to the first address that is not trusted. Each trusted proxy vouches
   * for the entry that it has added. At an invalid entry the search ends: nobody vouches for what is left of it.
   * @param header all lines of the header, joined by commas as Node does
   */
  #firstOther(peer: string, header: string): string {
    let found = peer;
    let end = header.length;
    for (let count = 0; count < ENTRIES_MAX && end >= 0 && this.#isTrusted(found); count += 1) {
      const start = header.lastIndexOf(',', end - 1);
      const address = addressIn(header.slice(start + 1, end));
      if (address === undefined) break;
      found = address;
      end = start;
      if (start === -1) break;
    }
    return found;
  }
}

function addressIn(entry: string): string | undefined {
  const text = entry.trim();
  const [, bracketed, plain] = WITH_PORT.exec(text) ?? [];
  return canonicalAddress(bracketed ?? plain ?? text);
}

/** @returns the address of the peer; undefined when the connection is gone */
function peerOf(socket: IncomingMessage['socket']): string | undefined {
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined) return canonicalAddress(remoteAddress);
  return socket.destroyed ? undefined : UNIX_PEER;
}

import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/config.ts';
import { trustedProxies } from '../config/trusted-proxies.ts';
import type { UnnamedProxy } from '../messages/messages.ts';
import { canonicalAddress, countedAddress, isNear, UNIX_PEER } from '../platform/ip-address.ts';

const HEADER = 'x-forwarded-for';
/** More proxies in a row than anybody has. */
const ENTRIES_MAX = 20;
/** An address, as some proxies write it with its port. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5})$/;
/** Enough to see what is wrong; anybody can send such a header. */
const UNNAMED_MAX = 5;

/**
 * Tells where requests come from: the peer, or what a peer that TRUSTED_PROXIES names says in X-Forwarded-For. No other
 * header decides anything. State: the peers that it has met that send such a header and are not named, at most five of
 * each kind, so that those of outside do not hide one of this network.
 */
export class ClientAddresses {
  readonly #isTrusted: (peer: string) => boolean;
  readonly #onUnnamed: (all: readonly UnnamedProxy[]) => void;
  readonly #unnamed = new Map<string, UnnamedProxy>();

  /** @param onUnnamed told with each new one */
  constructor(
    { TRUSTED_PROXIES }: Pick<Config, 'TRUSTED_PROXIES'>,
    onUnnamed: (all: readonly UnnamedProxy[]) => void,
  ) {
    this.#isTrusted = trustedProxies(TRUSTED_PROXIES);
    this.#onUnnamed = onUnnamed;
  }

  /** Notes a peer that says that it passes a request on, and is not named. */
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

  /** @returns what a request is counted under: an IPv4 address, the /64 network of an IPv6 one, or `unix` */
  countedOf({ headers, socket }: IncomingMessage): string {
    const peer = peerOf(socket);
    if (peer === undefined) return 'unknown';
    const header = headers[HEADER];
    return countedAddress(
      header === undefined || !this.#isTrusted(peer) ? peer : this.#firstOther(peer, String(header)),
    );
  }

  /**
   * From the right, past those that are trusted, to the first that is not. Each trusted proxy vouches for the entry that
   * it has added; beyond junk nobody vouches for anything.
   * @param header all its lines, joined by commas as Node does it
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

/** Undefined when it is gone. */
function peerOf(socket: IncomingMessage['socket']): string | undefined {
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined) return canonicalAddress(remoteAddress);
  return socket.destroyed ? undefined : UNIX_PEER;
}

import type { AddressInfo } from 'node:net';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { isLoopbackAddress } from '../platform/loopback.ts';
import { type ListenAddress, nameOf, tryAddress } from './listen-address.ts';
import type { Listener } from './listener.ts';
import type { ServiceSockets } from './systemd/environment.ts';

/** Where a system listens: for the public, and for its operator. */
export interface Addresses {
  readonly http: readonly ListenAddress[];
  readonly ops: readonly ListenAddress[];
}

/** The same addresses, as people and clients write them. */
export interface Listening {
  readonly url: string;
  /** `unix:PATH`, or a URL. */
  readonly opsUrl: string;
}

/** @param sockets that the service manager has opened; they replace the settings */
export function addressesOf(
  { HOST, PORT, opsListen }: Config,
  { http, ops }: ServiceSockets = { http: [], ops: [], unknown: [] },
): Addresses {
  const ofManager = (fds: readonly number[]) =>
    fds.map((fd) => ({ fd, settings: 'ListenStream in its unit' }));
  return {
    http: http.length > 0 ? ofManager(http) : [{ host: HOST, port: PORT, settings: 'HOST or PORT' }],
    ops: ops.length > 0 ? ofManager(ops) : [{ ...opsListen, settings: 'OPS_LISTEN' }],
  };
}

/**
 * Finds out whether the addresses can be had, before anything is started.
 * @throws Failure address_unavailable
 */
export async function tryAddresses({ http, ops }: Addresses): Promise<void> {
  for (const address of [...http, ...ops]) if (!('fd' in address)) await tryAddress(address);
}

/** @throws Failure address_unavailable, or config_invalid for an operator's socket that others could reach */
export async function listenAtAll(listener: Listener, { http, ops }: Addresses): Promise<Listening> {
  const urls: string[] = [];
  for (const address of http) {
    const bound = await listener.listen(address, false);
    if (bound === undefined)
      throw new Failure('address_unavailable', 'The socket http of the service manager is not one of TCP');
    urls.push(urlOf(address, bound));
  }
  const opsUrls: string[] = [];
  for (const address of ops) {
    const bound = await listener.listen(address, true);
    if (bound && !isLoopbackAddress(bound.address))
      throw new Failure(
        'config_invalid',
        `The socket ops of the service manager listens on ${bound.address}: make it one of Unix, or of a loopback address`,
      );
    opsUrls.push(bound ? urlOf(address, bound) : nameOf(address));
  }
  return { url: urls[0] ?? '', opsUrl: opsUrls[0] ?? '' };
}

/** @returns where a browser on this machine opens the operator's page */
export function pageUrlOf({ url, opsUrl }: Listening): string {
  const base = opsUrl.startsWith('http:') ? opsUrl : url;
  // A wildcard address is opened at the loopback address.
  return `${base.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')}/ops`;
}

function urlOf(asked: ListenAddress, { address, port }: AddressInfo): string {
  const host = 'host' in asked ? asked.host : address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

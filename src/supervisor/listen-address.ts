import { EventEmitter } from 'node:events';
import { lstatSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Failure } from '../platform/errors.ts';
import { BACKLOG, UnixListener } from '../platform/unix-listener.ts';

/** Paused: the worker that is handed the connection reads its bytes. */
const CONNECTIONS = { pauseOnConnect: true, noDelay: true };

/** Where to listen, and which settings a person changes when that fails. */
export type ListenAddress = { readonly settings: string } & (
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  /** A socket that the service manager has opened. */
  | { readonly fd: number }
);

/** A socket that listens at an address. */
export interface Listened {
  /** Undefined for a Unix socket. */
  readonly bound: AddressInfo | undefined;
  /** Takes no new connection. */
  close(): void;
}

/**
 * Tries to listen there, so that an address that cannot be had is told before anything is started.
 * @throws Failure address_unavailable
 */
export async function tryAddress(address: ListenAddress): Promise<void> {
  const listened = await listenAt(
    address,
    (socket) => socket.destroy(),
    () => {},
  );
  listened.close();
}

/**
 * Listens at an address. Of what stands at the path of a Unix socket, only one that a killed system left is replaced.
 * @param onConnection gets each connection, paused
 * @param onError gets errors that do not end the listening, such as no free descriptor
 * @throws Failure address_unavailable
 */
export async function listenAt(
  address: ListenAddress,
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
): Promise<Listened> {
  try {
    if ('path' in address) {
      await stateOfSocket(address.path);
      const listener = new UnixListener(onConnection, onError, CONNECTIONS);
      await listener.listen(address.path);
      return { bound: undefined, close: () => listener.close() };
    }
    const server = createServer(CONNECTIONS, onConnection);
    const where = 'fd' in address ? { fd: address.fd } : { host: address.host, port: address.port };
    const listening = EventEmitter.once(server, 'listening');
    server.listen({ ...where, backlog: BACKLOG });
    await listening;
    server.on('error', onError);
    const bound = server.address();
    return {
      // A Unix socket has a path, or no address where the service manager has opened it.
      bound: bound === null || typeof bound === 'string' ? undefined : bound,
      close: () => server.close(),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(
      'address_unavailable',
      `Cannot listen on ${nameOf(address)}: ${reason}. Set ${address.settings}.`,
      { cause },
    );
  }
}

/**
 * @returns what is at the path of a Unix socket: nothing, or a socket that nobody listens on any more
 * @throws Error when anything else is there
 */
export async function stateOfSocket(path: string): Promise<'free' | 'stale'> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'free';
  if (!stat.isSocket()) throw new Error('there is something else than a socket, which is yours to remove');
  const client = connect(path);
  try {
    await EventEmitter.once(client, 'connect');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return 'stale';
    if (code === 'ENOENT') return 'free';
    throw error;
  } finally {
    client.destroy();
  }
  throw new Error('another process listens there');
}

/** @returns an address for people */
export function nameOf(address: ListenAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return 'fd' in address ? 'the socket of the service manager' : `${address.host}:${address.port}`;
}

import { EventEmitter } from 'node:events';
import { lstatSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Failure } from '../platform/errors.ts';
import { BACKLOG, UnixListener } from '../platform/unix-listener.ts';

/** The bytes of a connection are for whom it is handed to. */
const CONNECTIONS = { pauseOnConnect: true, noDelay: true };

/** Where to listen, and what a person changes when that cannot be had. */
export type ListenAddress = { readonly settings: string } & (
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  /** Of a socket that the service manager has opened. */
  | { readonly fd: number }
);

/** What listens at an address. */
export interface Listened {
  /** Undefined for a Unix socket. */
  readonly bound: AddressInfo | undefined;
  /** Takes no new connection. */
  close(): void;
}

/**
 * Finds out whether it could be listened there, so that an address that cannot be had is told before anything is made.
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
 * Listens at an address. A Unix socket that a killed system has left behind is replaced, and nothing else.
 * @param onConnection gets each connection, paused
 * @param onError what it goes on after, such as no free descriptor
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
      // Of a Unix socket there is a path, or nothing where the service manager has opened it.
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
 * @returns what stands at the path of a Unix socket: nothing, or one that nobody listens on any more
 * @throws Error what else stands there
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

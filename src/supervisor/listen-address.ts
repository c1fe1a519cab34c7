import { EventEmitter } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { Failure } from '../errors.ts';

/** Connections that the kernel holds before the primary takes them. */
const BACKLOG = 4096;
/** Leaves what is made to its owner, and a folder that another thread makes meanwhile usable. */
const OWNER_ALONE_MASK = 0o077;
const SOCKET_MODE = 0o600;

/** Where to listen, and what a person changes when that cannot be had. */
export type ListenAddress = { readonly settings: string } & (
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  /** Of a socket that the service manager has opened. */
  | { readonly fd: number }
);

/**
 * Finds out whether it could be listened there, so that an address that cannot be had is told before anything is made.
 * @throws Failure address_unavailable
 */
export async function tryAddress(address: ListenAddress): Promise<void> {
  const server = createServer();
  await listenAt(server, address);
  server.close();
  await EventEmitter.once(server, 'close');
}

/**
 * Has a server listen. A Unix socket is its owner's alone from its first moment; one that a killed system has left behind is
 * replaced, and nothing else.
 * @throws Failure address_unavailable
 */
export async function listenAt(server: Server, address: ListenAddress): Promise<void> {
  try {
    if ('path' in address && (await stateOfSocket(address.path)) === 'stale') rmSync(address.path);
    const listening = EventEmitter.once(server, 'listening');
    if ('path' in address) {
      const mask = process.umask(OWNER_ALONE_MASK);
      try {
        // It is made within this call.
        server.listen({ path: address.path, backlog: BACKLOG });
      } finally {
        process.umask(mask);
      }
    } else if ('fd' in address) server.listen({ fd: address.fd, backlog: BACKLOG });
    else server.listen({ host: address.host, port: address.port, backlog: BACKLOG });
    await listening;
    if ('path' in address) chmodSync(address.path, SOCKET_MODE);
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

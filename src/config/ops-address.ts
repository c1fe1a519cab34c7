import { isAbsolute, join, resolve } from 'node:path';
import { isLoopbackHost } from '../platform/loopback.ts';

/** The longest path of a Unix socket. */
export const SOCKET_PATH_MAX_BYTES = process.platform === 'darwin' ? 103 : 107;

const EXPECTED =
  'expected unix:PATH, or a loopback address with a port, such as 127.0.0.1:9090 or [::1]:9090';
const HOST_AND_PORT = /^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i;
const PORT_MAX = 65_535;

/** Where the operator's routes are served, besides the public port. */
export type OpsAddress =
  | { readonly type: 'unix'; readonly path: string }
  /** An IPv6 address has no brackets here. */
  | { readonly type: 'tcp'; readonly host: string; readonly port: number };

/**
 * @param text OPS_LISTEN; undefined where it is not set
 * @param dataDir absolute
 * @param installation the folder from which relative paths start, absolute
 * @returns the address, or what was expected instead
 */
export function parseOpsAddress(
  text: string | undefined,
  dataDir: string,
  installation: string,
): OpsAddress | { readonly expected: string } {
  if (text === undefined) return { type: 'unix', path: join(dataDir, 'run', 'ops.sock') };
  const [, given] = /^unix:([^~].*)$/.exec(text) ?? [];
  if (given !== undefined) {
    const path = isAbsolute(given) ? given : resolve(installation, given);
    const overBytes = Buffer.byteLength(path) - SOCKET_PATH_MAX_BYTES;
    return overBytes > 0
      ? { expected: `expected a shorter path: by ${overBytes} bytes, for a socket` }
      : { type: 'unix', path };
  }
  const [, host = '', digits] = HOST_AND_PORT.exec(text) ?? [];
  const port = Number(digits);
  if (!isLoopbackHost(host) || !(port <= PORT_MAX)) return { expected: EXPECTED };
  return { type: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

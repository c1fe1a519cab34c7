import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Logger } from '../platform/log.ts';

/** The socket is made for its owner alone. */
const OWNER_ALONE_MASK = 0o177;
const PID_RADIX = 36;

/**
 * Has a server listen where nobody can connect: on a Unix socket whose path is removed at once. The connections of a
 * worker come from the primary, but Node.js watches idle and slow connections only of a server that listens. Otherwise
 * neither its timeouts nor `closeIdleConnections` have an effect.
 *
 * Where the socket cannot be made, as on a disk that is read-only by now, the server goes on without that.
 * @param runDir of this user alone; the path is no longer than that of the writer's socket
 */
export async function listenUnreachably(server: Server, runDir: string, log: Logger): Promise<void> {
  try {
    await listen(server, runDir);
  } catch (err) {
    log.warn({ err }, `slow and idle connections are not watched: no socket can be made in ${runDir}`);
  }
}

async function listen(server: Server, runDir: string): Promise<void> {
  const path = join(runDir, `${process.pid.toString(PID_RADIX)}.sock`);
  rmSync(path, { force: true });
  const listening = once(server, 'listening');
  const mask = process.umask(OWNER_ALONE_MASK);
  try {
    // The socket is made within this call. Exclusive: otherwise node:cluster lets the primary listen.
    server.listen({ path, exclusive: true });
  } finally {
    process.umask(mask);
    rmSync(path, { force: true });
  }
  await listening;
  server.unref();
}

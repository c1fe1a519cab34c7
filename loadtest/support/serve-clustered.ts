import cluster from 'node:cluster';
import { createServer, type RequestListener } from 'node:http';

const HOST = '127.0.0.1';

export interface ClusteredServer {
  /** Called once, in the primary, before a worker is there. */
  readonly prepare?: () => void;
  /** Called once a worker. */
  readonly createListener: () => RequestListener;
}

/**
 * A peer's whole life: a node:cluster of WORKERS (2) processes on a free port, `ready <url>` on standard output when
 * all of them listen, and its end together with its parent's.
 */
export function serveClustered({ prepare, createListener }: ClusteredServer): void {
  if (!cluster.isPrimary) {
    createServer(createListener()).listen(0, HOST);
    return;
  }
  process.once('disconnect', () => process.exit());
  prepare?.();
  const workers = Number(process.env.WORKERS ?? 2);
  let listening = 0;
  cluster.on('listening', (_worker, address) => {
    listening += 1;
    if (listening === workers) console.log(`ready http://${HOST}:${address.port}`);
  });
  // A figure of a cluster that is not whole would be worth nothing.
  cluster.on('exit', () => process.exit(1));
  for (let index = 0; index < workers; index += 1) cluster.fork();
}

import cluster from 'node:cluster';
import { createServer, type RequestListener } from 'node:http';

const HOST = '127.0.0.1';

export interface ClusteredServer {
  /** Called once, in the primary, before a worker starts. */
  readonly prepare?: () => void;
  /** Called once in each worker. */
  readonly createListener: () => RequestListener;
}

/**
 * Runs a peer: a node:cluster of WORKERS (2) processes on a free port. Prints `ready <url>` when all of them listen,
 * and ends with its parent.
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
  // Figures of a cluster without all its workers would be worthless.
  cluster.on('exit', () => process.exit(1));
  for (let index = 0; index < workers; index += 1) cluster.fork();
}

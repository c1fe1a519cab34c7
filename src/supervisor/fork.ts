import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChildContext, CONTEXT_VARIABLE } from '../runtime/runtime.ts';
import { isWritable } from '../writable.ts';

/** Every process of a system carries its data folder in this variable, so that orphans can be found. */
export const DATA_DIR_VARIABLE = 'NINELIVES_DATA_DIR';

const ENTRY = fileURLToPath(new URL('../runtime/main.ts', import.meta.url));

/**
 * Forks a Node process of this system by the cluster module.
 * @param env variables beside the primary's own; the only way a secret reaches a child
 */
export function fork(context: ChildContext, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const { DATA_DIR } = context.config;
  // The role stands in the arguments for whoever reads `ps`.
  cluster.setupPrimary({ exec: ENTRY, args: [context.role], execArgv: [], silent: false });
  const worker = cluster.fork({
    NODE_COMPILE_CACHE: compileCache(DATA_DIR),
    [DATA_DIR_VARIABLE]: DATA_DIR,
    [CONTEXT_VARIABLE]: JSON.stringify(context),
    ...env,
  });
  // The cluster module forgets one when it has heard of both its exit and its 'disconnect', and the latter never comes
  // for a child that dies with a handle on its way.
  worker.process.once('close', () => delete cluster.workers?.[worker.id]);
  return worker.process;
}

/**
 * The primary's own, so that what one has compiled all others find, also on a new data folder. Where that cannot be
 * written, as in an installation that belongs to another user, it is the data folder's. Node.js keeps a folder for each
 * version in it.
 */
function compileCache(dataDir: string): string {
  const own = getCompileCacheDir();
  return own && isWritable(own) ? dirname(own) : join(dataDir, 'run', 'compile-cache');
}

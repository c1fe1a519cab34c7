import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { type ChildContext, CONTEXT_VARIABLE } from '../runtime/runtime.ts';
import { isWritable } from '../writable.ts';
import type { Deployment } from './release/deployment.ts';

/** Every process of a system carries its data folder in this variable, so that orphans can be found. */
export const DATA_DIR_VARIABLE = 'NINELIVES_DATA_DIR';

const ENTRY = 'src/runtime/main.ts';

/**
 * Forks a Node process of a release by the cluster module.
 * @param entry of its role, below the release's folder
 * @param env variables beside the primary's own; the only way a secret reaches a child
 * @throws Error when the system has no process to give; other errors of the spawn come as `error` of what is returned
 */
export function fork(
  { release, config }: Deployment,
  entry: string,
  context: Omit<ChildContext, 'entryPath' | 'config'>,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const { DATA_DIR } = config;
  const full: ChildContext = { ...context, entryPath: join(release.folder, entry), config };
  // The role stands in the arguments for whoever reads `ps`.
  cluster.setupPrimary({
    exec: join(release.folder, ENTRY),
    args: [context.role],
    execArgv: [],
    silent: false,
  });
  const worker = withNode(release.nodePath, () =>
    cluster.fork({
      NODE_COMPILE_CACHE: compileCache(release.folder, DATA_DIR),
      [DATA_DIR_VARIABLE]: DATA_DIR,
      [CONTEXT_VARIABLE]: JSON.stringify(full),
      ...env,
    }),
  );
  // It repeats what its process says, who is heard; unheard, it would end the primary.
  worker.on('error', () => {});
  // The cluster module forgets one when it has heard of both its exit and its 'disconnect', and the latter never comes
  // for a child that dies with a handle on its way.
  worker.process.once('close', () => delete cluster.workers?.[worker.id]);
  return worker.process;
}

/** The cluster module forks by `process.execPath`, and has no setting for it; that of a release before may be gone. */
function withNode<Result>(nodePath: string, run: () => Result): Result {
  const { execPath } = process;
  process.execPath = nodePath;
  try {
    return run();
  } finally {
    process.execPath = execPath;
  }
}

/**
 * The release's own, which goes with it. Where that cannot be written, the primary's, so that what one has compiled all
 * others find, also on a new data folder. Where that cannot be written either, as in an installation that belongs to
 * another user, it is the data folder's. Node.js keeps a folder for each version in it.
 */
function compileCache(releaseFolder: string, dataDir: string): string {
  const ofRelease = join(releaseFolder, '.cache');
  if (isWritable(ofRelease)) return ofRelease;
  const own = getCompileCacheDir();
  return own && isWritable(own) ? dirname(own) : join(dataDir, 'run', 'compile-cache');
}

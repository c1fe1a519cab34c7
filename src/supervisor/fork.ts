import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { REPLICA_SECRETS } from '../config/secrets.ts';
import { dyingWithParent } from '../platform/dying-with-parent.ts';
import { LineBatch, STANDARD_ERROR } from '../platform/line-batch.ts';
import { type ChildContext, CONTEXT_VARIABLE, type ForkedContext } from '../runtime/runtime.ts';
import { compileCacheOf } from './release/compile-cache.js';
import type { Deployment } from './release/deployment.ts';
import { appVariables, moduleIn } from './release/modules.js';

/** Every process of a system carries its data folder in this variable, so that orphans can be found. */
export const DATA_DIR_VARIABLE = 'NINELIVES_DATA_DIR';

const ENTRY = 'runtime/main.ts';
/**
 * Each of a process's threads would have a heap of its own (glibc has eight a processor), and none gives back what another
 * could use.
 */
const MALLOC_ARENAS_MAX = '2';
/** For a hung child's stack: its address is told to this process alone, and not to every local user who asks the port. */
const INSPECTABLE = '--inspect-publish-uid=stderr';
/**
 * A third of V8's default for the young generation: under full load a process has 130 MB instead of 180, for the same processor
 * time a request (loadtest/RESULTS.md). NODE_OPTIONS may say otherwise.
 */
const YOUNG_GENERATION = '--max-semi-space-size=8';
/** A process that the child has left behind may keep its standard error open, and nobody waits for that. */
const STDERR_GRACE_MS = 1000;
/** What this process has for itself. */
const NO_SECRETS: NodeJS.ProcessEnv = Object.fromEntries(REPLICA_SECRETS.map((name) => [name, undefined]));

/**
 * Forks a Node process of a release by the cluster module.
 * Where the system can do that, it dies with this process, even if that is killed. What it says on its standard error this
 * process passes on.
 * @param entryPath its role's module, absolute, in the release
 * @param env variables beside the primary's own; the only way a secret reaches a child
 * @throws Error when the system has no process to give; other errors of the spawn come as `error` of what is returned
 */
export function fork(
  { release, config }: Deployment,
  entryPath: string,
  context: Omit<ChildContext, 'entryPath' | 'config'>,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const { DATA_DIR } = config;
  const full: ForkedContext = {
    ...context,
    entryPath,
    config,
    primaryPid: process.pid,
  };
  const { nodePath } = release;
  const isChosen = process.env.NODE_OPTIONS?.includes('semi-space-size');
  const options = isChosen ? [INSPECTABLE] : [INSPECTABLE, YOUNG_GENERATION];
  // One that is gone is to be told of as that.
  const node = existsSync(nodePath)
    ? dyingWithParent(nodePath, options)
    : { command: nodePath, args: options };
  // The role stands in the arguments for whoever reads `ps`.
  cluster.setupPrimary({
    exec: moduleIn(release, ENTRY),
    args: [context.role],
    execArgv: node.args,
    // Any that is free, when it is asked for its stack.
    inspectPort: 0,
    stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
  });
  const worker = withNode(node.command, () =>
    cluster.fork({
      NODE_COMPILE_CACHE: compileCacheOf(release.folder),
      NODE_COMPILE_CACHE_PORTABLE: '1',
      MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? MALLOC_ARENAS_MAX,
      [DATA_DIR_VARIABLE]: DATA_DIR,
      ...appVariables(release),
      [CONTEXT_VARIABLE]: JSON.stringify(full),
      ...NO_SECRETS,
      ...env,
    }),
  );
  // It repeats what its process says, who is heard; unheard, it would end the primary.
  worker.on('error', () => {});
  passOn(worker.process);
  // The cluster module forgets one when it has heard of both its exit and its 'disconnect', and the latter never comes
  // for a child that dies with a handle on its way.
  worker.process.once('close', () => delete cluster.workers?.[worker.id]);
  return worker.process;
}

let standardError: LineBatch | undefined;

/** Nobody who reads it slowly, or not at all, shall keep this process from its work. */
function passOn(child: ChildProcess): void {
  const { stderr } = child;
  // A failed spawn has none.
  if (!stderr) return;
  standardError ??= new LineBatch(undefined, STANDARD_ERROR);
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => standardError?.writeAsIs(text));
  stderr.on('error', () => {});
  child.once('exit', () => setTimeout(() => stderr.destroy(), STDERR_GRACE_MS).unref());
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

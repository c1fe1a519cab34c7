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

/** Every process of a system has its data folder in this variable, so that orphans can be found. */
export const DATA_DIR_VARIABLE = 'NINELIVES_DATA_DIR';

const ENTRY = 'runtime/main.ts';
/**
 * Without it each thread of a process has a heap of its own (glibc allows eight a processor), and no heap can use the
 * free memory of another.
 */
const MALLOC_ARENAS_MAX = '2';
/** For a hung child's stack. Only the primary learns the inspector's address, not each local user who asks the port. */
const INSPECTABLE = '--inspect-publish-uid=stderr';
/**
 * A third of V8's default for the young generation: under full load a process has 130 MB instead of 180, for the same
 * processor time a request (loadtest/RESULTS.md). NODE_OPTIONS may set another one.
 */
const YOUNG_GENERATION = '--max-semi-space-size=8';
/** Standard error is read for so long after the exit: a process that the child has left behind may keep it open. */
const STDERR_GRACE_MS = 1000;
/** The replica's credentials of this process, which no child inherits. */
const NO_SECRETS: NodeJS.ProcessEnv = Object.fromEntries(REPLICA_SECRETS.map((name) => [name, undefined]));

/**
 * Forks a Node.js process of a release by the cluster module. Where the kernel can do that, the process dies with this
 * one, even if this one is killed. Its standard error is passed on.
 * @param entryPath its role's module, absolute, in the release
 * @param env variables beside the primary's own; the only way a secret reaches a child
 * @throws Error when the machine cannot start a process; other errors of the spawn come as `error` of the returned
 *   process
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
  // A Node.js that is missing must show as such, and not as an error of setpriv.
  const node = existsSync(nodePath)
    ? dyingWithParent(nodePath, options)
    : { command: nodePath, args: options };
  // The role is in the arguments for people who read `ps`.
  cluster.setupPrimary({
    exec: moduleIn(release, ENTRY),
    args: [context.role],
    execArgv: node.args,
    // From there Node.js looks for what NODE_OPTIONS names with --require or --import, before the child moves on.
    cwd: release.folder,
    // Any free port, when it is asked for its stack.
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
  // The Worker repeats the errors of its process, which are handled there. Without a listener they end the primary.
  worker.on('error', () => {});
  passOn(worker.process);
  // The cluster module forgets a Worker after both its exit and its 'disconnect', and the latter never comes for a
  // child that dies with a handle on its way.
  worker.process.once('close', () => delete cluster.workers?.[worker.id]);
  return worker.process;
}

let standardError: LineBatch | undefined;

/** Buffered: a reader who is slow, or reads nothing, shall not keep the primary from its work. */
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

/** The cluster module forks `process.execPath` and has no setting for it. The primary's own may be gone by now. */
function withNode<Result>(nodePath: string, run: () => Result): Result {
  const { execPath } = process;
  process.execPath = nodePath;
  try {
    return run();
  } finally {
    process.execPath = execPath;
  }
}

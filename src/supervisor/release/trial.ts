import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DryRunResult } from '../../messages/dry-run-result.ts';
import { Failure } from '../../platform/errors.ts';
import { TRIAL_SUFFIX } from '../../runtime/background.ts';
import type { Child } from '../child.ts';
import type { ChildExit } from '../child-exit.ts';
import { DATA_DIR_VARIABLE } from '../fork.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { backgroundSpec, PROCESSES } from '../processes.ts';
import { failureOf } from '../slot.ts';
import type { Deployable } from './deploy.ts';
import type { Deployment } from './deployment.ts';
import { isFaultOfRelease } from './fault.ts';
import { nameOf } from './name-of.ts';

export interface TrialOptions {
  readonly factory: ProcessFactory;
  /** The deployment that runs, whose statements have to work after the migrations. */
  readonly running: Deployment;
  readonly next: Deployable;
  /** Called when the dry run begins a step, with the id of its process. */
  readonly onStep: (step: string, pid: number | undefined) => void;
}

/** The result of a trial. */
export interface TrialResult {
  /** Names of the migrations that were tried, as `database owner/name`. */
  readonly migrations: readonly string[];
  /** The migrations among them that older code cannot live with. */
  readonly breaking: readonly string[];
  /** How long they took on the copy; writes will wait as long. */
  readonly migrateMs: number;
}

/**
 * Tries a release before anything is exchanged: its migrations on a copy of the databases, and on that copy one worker
 * and each background process, of the new release and of the running one, up to standby. They serve no requests, write
 * nothing, and are ended. Without a migration they open the live databases, read-only.
 *
 * @throws Failure migration_mismatch, storage_full, or why a process does not come up
 */
export async function tryRelease({ factory, running, next, onStep }: TrialOptions): Promise<TrialResult> {
  const { deployment, compatibility } = next;
  const { DATA_DIR } = deployment.config;
  const pending = Object.entries(compatibility).flatMap(([database, { pending }]) =>
    pending.map(({ owner, name, isCompatible }) => ({ label: `${database} ${owner}/${name}`, isCompatible })),
  );
  if (pending.length === 0) {
    await standBy(factory, deployment, { folder: DATA_DIR, who: `release ${nameOf(deployment.release)}` });
    return { migrations: [], breaking: [], migrateMs: 0 };
  }
  const folder = join(DATA_DIR, 'run', 'dry-run');
  rmSync(folder, { recursive: true, force: true });
  try {
    const result = await dryRun(factory, deployment, { folder, onStep });
    await standBy(factory, deployment, { folder, who: `release ${nameOf(deployment.release)}` });
    await standBy(factory, running, { folder, who: `the running release ${nameOf(running.release)}` }).catch(
      (error) => {
        if (!isFaultOfRelease(error)) throw error;
        throw new Failure(
          'migration_mismatch',
          `The migrations ${pending.map(({ label }) => label).join(', ')} break the release that runs: ${(error as Error).message}. Expand first: ship a migration that both releases can live with, and contract in the next release; or restart the system, which exchanges everything at once`,
          { cause: error },
        );
      },
    );
    return {
      migrations: pending.map(({ label }) => label),
      breaking: pending.filter(({ isCompatible }) => !isCompatible).map(({ label }) => label),
      migrateMs: Object.values(result).reduce((sum, { durationMs }) => sum + durationMs, 0),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function dryRun(
  factory: ProcessFactory,
  deployment: Deployment,
  { folder, onStep }: Pick<TrialOptions, 'onStep'> & { readonly folder: string },
): Promise<DryRunResult> {
  const { dryRun: spec } = PROCESSES;
  const child = factory.child(spec, { name: spec.role, deployment, input: { folder } });
  let result: DryRunResult | undefined;
  child.on('message', (message) => {
    if (message.kind === 'dry-run') result = message.result;
    else if (message.kind === 'progress') onStep(message.detail, child.pid);
  });
  const ended = new Promise<ChildExit>((resolve) => child.once('exit', resolve));
  // Its last message may arrive after its exit.
  const closed = new Promise<void>((resolve) => child.once('close', resolve));
  // It sends nothing while SQLite copies, and has no deadline.
  child.markReady();
  const exit = await ended;
  await closed;
  if (result) return result;
  throw failureOf(exit, `The dry run of the migrations: ${exit.failure?.message ?? exit.cause}`);
}

export interface StandByOptions {
  /** Where the databases are. */
  readonly folder: string;
  /** Whose processes they are, for people. */
  readonly who: string;
  /** Ends the trial. */
  readonly signal?: AbortSignal;
}

/**
 * Brings one worker and each background process up to standby on the databases of a folder, and ends them.
 * @throws Failure why one does not come up: child_failed where it died, not_ready where its code is not to blame, else
 *   the failure that it reported, which is the same at each try
 */
export async function standBy(
  factory: ProcessFactory,
  deployment: Deployment,
  { folder, who, signal }: StandByOptions,
): Promise<void> {
  const { config, backgrounds } = deployment;
  // They belong to the system, as orphans are found by it, and get no secret with which they could send anything.
  const copy = { secrets: {}, appSecrets: {}, config: { ...config, DATA_DIR: folder } };
  const onCopy: Deployment = { ...deployment, ...copy };
  const env = { [DATA_DIR_VARIABLE]: config.DATA_DIR };
  const specs = [PROCESSES.worker, ...backgrounds.map(backgroundSpec)];
  const children = specs.map((spec) =>
    factory.child(spec, { name: `${spec.role}${TRIAL_SUFFIX}`, deployment: onCopy, standby: 'all', env }),
  );
  const end = () => {
    for (const child of children) child.kill('it is not tried any more');
  };
  signal?.addEventListener('abort', end);
  try {
    await Promise.all(children.map((child, index) => loaded(child, `${specs[index]?.role} of ${who}`)));
  } finally {
    signal?.removeEventListener('abort', end);
    for (const child of children) child.kill('it was only tried');
    await Promise.all(children.map((child) => child.ended()));
  }
}

async function loaded(child: Child, who: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.on('state', (state) => {
      if (state === 'standby') resolve();
    });
    child.once('exit', (exit) => {
      const reason = exit.failure?.message ?? exit.cause;
      const told = `The ${who} does not come up: ${reason}`;
      reject(new Failure(failureOf(exit, told).code, told));
    });
  });
}

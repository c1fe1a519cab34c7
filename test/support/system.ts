import type { Test } from 'tap';
import {
  type LaunchOptions,
  makeTemporaryFolder,
  RunningSystem,
  removeFolder,
} from '../../src/testing/running-system.ts';

import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { keepRelease, seedRelease } from './seed-release.ts';

export {
  type LogLine,
  processesOf,
  type RunningSystem,
} from '../../src/testing/running-system.ts';
export { until, within } from '../../src/testing/wait.ts';

/** @returns a new folder, removed at the test's end */
export function temporaryFolder(t: Test): string {
  const folder = makeTemporaryFolder();
  t.teardown(() => removeFolder(folder));
  return folder;
}

/**
 * What a test is not about. What else this machine does is no reason to refuse its requests, and each worker and spare costs
 * it a third of a second of a processor.
 */
const QUICK = { OVERLOAD_LAG_MS: '0', WORKERS: '1', SPARE_WORKERS: '0' };

/** Starts a real system without waiting for anything; it ends with the test, and so does all that it left behind. */
export function launch(
  t: Test,
  env: NodeJS.ProcessEnv = {},
  dataDir = temporaryFolder(t),
  options: LaunchOptions = {},
): RunningSystem {
  // A copy of the project names its app itself.
  const isProject = options.root === undefined;
  if (isProject && options.uid === undefined) seedRelease(dataDir);
  const args = isProject ? [...APP_ARGUMENTS, ...(options.args ?? [])] : options.args;
  const system = RunningSystem.launch(dataDir, { ...QUICK, ...env }, 'pipe', {
    ...options,
    ...(args && { args }),
  });
  t.teardown(() => system.destroy());
  return system;
}

/** Starts a real system and waits until it says ready. */
export async function start(
  t: Test,
  env: NodeJS.ProcessEnv = {},
  dataDir?: string,
  options?: LaunchOptions,
): Promise<RunningSystem> {
  const system = launch(t, env, dataDir, options);
  const { release } = await system.ready();
  if (options?.root === undefined) keepRelease(system.dataDir, String(release));
  return system;
}

/** Starts a real system with two workers, for a test in which they differ or one takes the place of the other. */
export async function startPair(
  t: Test,
  env: NodeJS.ProcessEnv = {},
  dataDir?: string,
  options?: LaunchOptions,
): Promise<RunningSystem> {
  return await start(t, { WORKERS: '2', ...env }, dataDir, options);
}

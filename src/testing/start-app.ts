import { APP_ARGUMENTS } from './project.ts';
import { makeTemporaryFolder, RunningSystem, removeFolder } from './running-system.ts';
import type { S3Store } from './s3-server.ts';

export interface StartOptions {
  /** Settings; nothing of this process's environment or of the project's `.env` counts. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its data folder: of one that was started before, to start it again. A new one unless told. */
  readonly dataDir?: string;
}

/** An app that runs. What it logs, and what it can do, is that of RunningSystem. */
export interface RunningApp
  extends Pick<
    RunningSystem,
    | 'url'
    | 'pid'
    | 'dataDir'
    | 'lines'
    | 'pidOf'
    | 'waitFor'
    | 'killChild'
    | 'kill'
    | 'stop'
    | 'ended'
    | 'destroy'
  > {}

/**
 * Starts the project's app, with one worker on a free port unless told, and waits until it is ready. Call `destroy` at the
 * test's end: it ends every process, and removes a folder that was made here.
 */
export async function startApp({ env = {}, dataDir }: StartOptions = {}): Promise<RunningApp> {
  const folder = dataDir ?? makeTemporaryFolder();
  const settings = { WORKERS: '1', OVERLOAD_LAG_MS: '0', ...env };
  const system = RunningSystem.launch(folder, settings, 'pipe', { args: APP_ARGUMENTS });
  const destroy = system.destroy.bind(system);
  system.destroy = async () => {
    await destroy();
    if (dataDir === undefined) removeFolder(folder);
  };
  try {
    await system.ready();
  } catch (error) {
    await system.destroy();
    throw error;
  }
  return system;
}

/** A store in this process that speaks the S3 protocol; its settings are what makes it the replica. */
export interface TestStore extends Pick<S3Store, 'directory' | 'close' | 'destroy'> {
  readonly env: NodeJS.ProcessEnv;
}

/** @param prefix where the replica lies in it */
export async function startStore(prefix = 'test'): Promise<TestStore> {
  // It needs a package that not every test has.
  const { s3Environment, startS3Server } = await import('./s3-server.ts');
  const store = await startS3Server();
  const { directory, close, destroy } = store;
  return { directory, close, destroy, env: s3Environment(store, prefix) };
}

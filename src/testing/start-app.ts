import { APP_ARGUMENTS } from './project.ts';
import { makeTemporaryFolder, RunningSystem, removeFolder } from './running-system.ts';
import type { S3Store } from './s3-server.ts';

export interface StartOptions {
  /** Settings. The environment of this process and the project's `.env` do not count. */
  readonly env?: NodeJS.ProcessEnv;
  /** The data folder: by default a new one; that of an earlier start, to start that system again. */
  readonly dataDir?: string;
}

/** A running app, with the members of RunningSystem that tests need. */
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
 * Starts the project's app and waits until it is ready. By default it has one worker, and listens on a free port. Call
 * `destroy` at the end of the test: it kills every process, and removes the folder if it was made here.
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

/** A store in this process that speaks the S3 protocol; the settings `env` make it the replica. */
export interface TestStore extends Pick<S3Store, 'directory' | 'close' | 'destroy'> {
  readonly env: NodeJS.ProcessEnv;
}

/** Starts a store. @param prefix the place of the replica in the bucket */
export async function startStore(prefix = 'test'): Promise<TestStore> {
  // Loaded here, because it needs the package s3rver, which not every test has.
  const { s3Environment, startS3Server } = await import('./s3-server.ts');
  const store = await startS3Server();
  const { directory, close, destroy } = store;
  return { directory, close, destroy, env: s3Environment(store, prefix) };
}

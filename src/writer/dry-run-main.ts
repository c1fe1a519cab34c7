import { databaseNames } from '../features/features.ts';
import { loadZod } from '../platform/zod-without-locales.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { dryRunOn } from './databases.ts';

/** What the primary sends to the process. */
export interface DryRunInput {
  /** Where the copies are made: an absolute path; new or empty. The primary removes it. */
  readonly folder: string;
}

/**
 * The process that tries a release's migrations, and the writer's statements on the result, before any process is
 * replaced. It may take minutes, and blocks its event loop meanwhile. It sends `progress` before each step, and
 * `dry-run` with the result at the end.
 */
export async function run(runtime: Runtime): Promise<void> {
  // The copies are accessible to their owner alone.
  process.umask(0o077);
  await loadZod();
  const { folder } = (await runtime.standby()) as DryRunInput;
  const result = await dryRunOn(folder, databaseNames(), runtime);
  runtime.send({ kind: 'dry-run', result });
  runtime.log.flush(() => process.exit(0));
}

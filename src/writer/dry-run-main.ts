import { databaseNames } from '../features.ts';
import { loadZod } from '../platform/zod-without-locales.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { dryRunOn } from './databases.ts';

/** What the primary gives the process. */
export interface DryRunInput {
  /** Where the databases are to be found then: absolute, new or empty. Who names it removes it. */
  readonly folder: string;
}

/**
 * The process that tries a release's migrations, and the writer's statements on their result, before anything is
 * exchanged. It may take minutes and stands still meanwhile; it says `progress` before each step, and `dry-run` at the end.
 */
export async function run(runtime: Runtime): Promise<void> {
  // The copies are the owner's alone.
  process.umask(0o077);
  await loadZod();
  const { folder } = (await runtime.standby()) as DryRunInput;
  const result = await dryRunOn(folder, databaseNames(), runtime);
  runtime.send({ kind: 'dry-run', result });
  runtime.log.flush(() => process.exit(0));
}

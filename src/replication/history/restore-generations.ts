import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import type { ReplicaContext } from '../replica-context.ts';
import { restoreDatabase } from '../restore.ts';
import type { Candidate } from './cases.ts';
import { contains, readHistory } from './history.ts';

/** Stands for the generation that Litestream itself would restore. */
export const NEWEST = 'newest';

export interface RestoreGenerationsOptions extends ReplicaContext {
  /** On the data folder's file system; emptied by the caller. */
  readonly scratchDir: string;
}

export interface Restored {
  readonly candidates: readonly Candidate[];
  readonly unreadable: readonly string[];
}

/**
 * Restores generations beside each other, to be compared; of several that have the same, one.
 *
 * @param generations their names, or NEWEST
 * @throws Failure as `restoreDatabase`, but for those that cannot be restored, which are told apart
 */
export async function restoreGenerations(
  database: string,
  generations: readonly string[],
  options: RestoreGenerationsOptions,
): Promise<Restored> {
  const { log, scratchDir } = options;
  const candidates: Candidate[] = [];
  const unreadable: string[] = [];
  for (const generation of generations) {
    log.info({ database, generation }, `comparing ${database} with its replica: generation ${generation}`);
    const outputPath = scratchPath(database, generation, scratchDir);
    try {
      const selection = generation === NEWEST ? undefined : { generation };
      // What is remembered of the database, and how closely that was looked at, is nothing to these.
      const restored = await restoreDatabase({
        ...options,
        database,
        outputPath,
        selection,
        mark: undefined,
        check: undefined,
      });
      if (restored) candidates.push({ generation, history: readHistory(outputPath) });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'restore_failed') throw error;
      log.warn({ database, generation, code: error.code }, error.message);
      unreadable.push(generation);
    } finally {
      // What reading it has left: beside a renamed database it would be another's.
      for (const suffix of ['-wal', '-shm']) rmSync(outputPath + suffix, { force: true });
    }
    const [found] = candidates.slice(-1);
    // Of several that have the same the disk needs to hold one.
    if (found && candidates.slice(0, -1).some(({ history }) => contains(history, found.history.last))) {
      candidates.pop();
      rmSync(outputPath, { force: true });
    }
  }
  return { candidates, unreadable };
}

/** @returns where a generation is restored to */
export function scratchPath(database: string, generation: string, scratchDir: string): string {
  return join(scratchDir, `${database}-${generation}.db`);
}

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
 * Restores generations side by side, for comparison. A generation whose commits an earlier one contains is dropped.
 *
 * @param generations their names, or NEWEST
 * @throws Failure as `restoreDatabase`, except `restore_failed`: such a generation is returned in `unreadable`
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
      // The mark and the check concern the database here, not these copies.
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
      // Reading leaves these files. After the database is renamed, they must not be taken for another's.
      for (const suffix of ['-wal', '-shm']) rmSync(outputPath + suffix, { force: true });
    }
    const [found] = candidates.slice(-1);
    // One copy of the same commits is enough, and saves disk space.
    if (found && candidates.slice(0, -1).some(({ history }) => contains(history, found.history.last))) {
      candidates.pop();
      rmSync(outputPath, { force: true });
    }
  }
  return { candidates, unreadable };
}

/** @returns the path that a generation is restored to */
export function scratchPath(database: string, generation: string, scratchDir: string): string {
  return join(scratchDir, `${database}-${generation}.db`);
}

import type { Logger } from '../platform/log.ts';
import type { ChildExit } from './child-exit.ts';
import { failureOf } from './slot.ts';

const TRIES = 3;

export interface PreparationOptions {
  /** Runs a process that prepares the databases, to its end. Each goes on where the one before was ended. */
  readonly run: () => Promise<ChildExit>;
  /** Throws when the databases are not wanted any more. */
  readonly demandGoingOn: () => void;
  readonly log: Logger;
}

/**
 * Resolves when the databases are prepared. A process that was killed or hung says nothing about them: another one
 * tries.
 * @throws Failure why they cannot be prepared, or what `demandGoingOn` throws
 */
export async function prepared({ run, demandGoingOn, log }: PreparationOptions): Promise<void> {
  for (let left = TRIES - 1; ; left -= 1) {
    const exit = await run();
    demandGoingOn();
    if (exit.code === 0) return;
    const { cause, endedBy } = exit;
    const isBystander = endedBy === 'outside' || endedBy === 'hang';
    if (!isBystander || left === 0) throw failureOf(exit, `Preparing the databases failed: ${cause}`);
    log.error(`preparing the databases was ended: ${cause}; another process tries`);
  }
}

import { hasReplaced, run } from '../../../src/testing/chaos/commands.ts';
import type { Stage } from '../stage.ts';
import type { DataFolder } from './data-folder.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicaSite } from './replica-site.ts';

/** A start that refused to serve: the process ended by itself. */
export interface Refusal {
  readonly code: number | null;
  readonly text: string;
}

interface Place {
  readonly stage: Stage;
  readonly site: ReplicaSite;
  readonly folder: DataFolder;
  readonly ledger: Ledger;
}

/** A start may have to restore from the replica to compare. */
const READY_TIMEOUT_MS = 120_000;
const EXIT_UNSETTLED = 65;
/** The comparison at a start does not depend on the number of workers. Overload is the subject of another trial. */
const LEAN = { WORKERS: '1', SPARE_WORKERS: '0', DRILL_INTERVAL_MS: '0', OVERLOAD_LAG_MS: '0' };

/** Sets the replica that is in use for the system and its commands. */
export function configure(stage: Stage, { env }: ReplicaSite): void {
  stage.invokeBy({ env: { ...LEAN, DATA_DIR: stage.dataDir, ...env } });
}

/** Starts the system. @returns undefined once it serves. @throws Error when it neither serves nor ends */
export async function attempt(stage: Stage): Promise<Refusal | undefined> {
  try {
    await stage.start({}, READY_TIMEOUT_MS);
    return undefined;
  } catch (error) {
    const ended = await Promise.race([stage.system.ended(), Promise.resolve(undefined)]);
    if (!ended) throw error;
    return { code: ended.code, text: stage.system.stderr.trim() };
  }
}

/**
 * Does what an operator does about a refusal: waits while the store cannot be reached, else takes one of the choices
 * that the refusal offers.
 *
 * @returns undefined once the system serves; else the next refusal
 */
export async function decide(place: Place, refusal: Refusal): Promise<Refusal | undefined> {
  const { stage, site, folder, ledger } = place;
  await site.speak();
  const [, emptyId] = /set ALLOW_EMPTY=(\w+)/.exec(refusal.text) ?? [];
  if (refusal.code !== EXIT_UNSETTLED) {
    const again = await attempt(stage);
    return again?.code === EXIT_UNSETTLED ? await decide(place, again) : again;
  }
  const isOffered = refusal.text.includes('set REPLICA_URL');
  if (emptyId !== undefined) {
    stage.invokeBy({ env: { ...stage.invocation.env, ALLOW_EMPTY: emptyId } });
    site.dropOther();
  } else if (!isOffered || stage.random.below(2) === 0) {
    const restored = await run(stage, 'restore', '--in-place');
    if (!hasReplaced(restored)) return { code: restored.code, text: restored.output };
  } else {
    site.begin();
    configure(stage, site);
  }
  const again = await attempt(stage);
  if (!again) ledger.decide(folder.keys());
  return again;
}

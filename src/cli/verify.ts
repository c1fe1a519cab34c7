import { loadConfig } from '../config/config.ts';
import type { DrillResult } from '../messages/drill-result.ts';
import { Failure } from '../platform/errors.ts';
import { runDrill } from '../replication/drill/drill.ts';
import { pastDue, readRecord, recordOf, writeRecord } from '../replication/drill/record.ts';
import { demandDatabases } from '../sqlite/data-dir.ts';
import { lockUnlessHeld } from '../sqlite/lock.ts';
import { endOrphans } from '../supervisor/orphans.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';
import { demandDatabase } from './demand-data.ts';
import { showBytes, showDuration } from './sizes.ts';

const USAGE = `Usage: ninelives verify [--json]

  Restores every database from the replica, checks it, and compares its content with the live one.`;
const OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Does a drill now: in the running system, or, when none runs, on the files that the last one has left.
 * @param args what follows the command's name
 * @throws Failure drill_failed when the replica does not hold what it should, usage, not_ready, data_dir_locked
 */
export async function verify(args: readonly string[], invocation: Invocation): Promise<void> {
  const { json, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, invocation.installation);
  const { result, isStandalone } = await drill(config.DATA_DIR, invocation);
  console.log(json ? JSON.stringify(result, undefined, 2) : describeDrill(result));
  if (result.ok) return;
  const hint = isStandalone
    ? ' What was committed shortly before the last system ended may not have reached the replica: start it, and verify again.'
    : '';
  throw new Failure('drill_failed', `The replica is not proven.${hint}`);
}

async function drill(
  dataDir: string,
  invocation: Invocation,
): Promise<{ result: DrillResult; isStandalone: boolean }> {
  try {
    return { result: (await askPrimary(dataDir, ['verify'])) as DrillResult, isStandalone: false };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not_ready') throw error;
    demandDatabase(dataDir);
    const lock = lockUnlessHeld(dataDir, 'verify');
    // A system runs, and has said why it cannot do a drill now.
    if (!lock) throw error;
    try {
      return { result: await drillAlone(dataDir, invocation), isStandalone: true };
    } finally {
      lock.release();
    }
  }
}

async function drillAlone(dataDir: string, invocation: Invocation): Promise<DrillResult> {
  const { abortOnSignals, withReplica } = await loadContext();
  const signal = abortOnSignals();
  return withReplica(invocation, async (replica) => {
    demandDatabases(dataDir, replica.databases);
    await endOrphans(dataDir, replica.log);
    const result = await runDrill({
      ...replica,
      whenReplicated: undefined,
      confirmTimeoutMs: 0,
      past: pastDue(readRecord(dataDir), Date.now()),
      signal,
    });
    if (signal.aborted) throw new Failure('not_ready', 'Stopped while verifying');
    writeRecord(dataDir, recordOf(result, readRecord(dataDir)));
    return result;
  });
}

/** Imported only where no system runs: it loads the app, and the code on the disk may be broken. */
async function loadContext(): Promise<typeof import('./restore-context.ts')> {
  try {
    return await import('./restore-context.ts');
  } catch (error) {
    if (error instanceof Failure) throw error;
    const [reason] = String((error as Error).message ?? error).split('\n');
    throw new Failure(
      'release_unusable',
      `No system runs that could be asked, and the code of the app cannot be loaded: ${reason}. Mend it, or start the system, which may go back to what ran before, and verify then`,
      { cause: error },
    );
  }
}

/** @returns a result for people, one line a database */
export function describeDrill({ databases, past }: DrillResult): string {
  const newest = Object.entries(databases).map(
    ([name, { ok, reason, restoredBytes, rowsCompared, rowsSkipped, durationMs }]) => {
      if (!ok) return `${name}: FAILED: ${reason}`;
      const skipped = rowsSkipped === 0 ? '' : `, ${rowsSkipped} changed meanwhile`;
      return `${name}: ok, ${showBytes(restoredBytes)} restored, integrity_check ok, ${rowsCompared} rows compared${skipped}, ${showDuration(durationMs)}`;
    },
  );
  const kind = past?.kind === 'oldest' ? 'its oldest snapshot' : 'a time at random';
  const older = Object.entries(past?.restored ?? {}).map(([name, text]) => `${name}, ${kind}: ${text}`);
  return [...newest, ...older].join('\n');
}

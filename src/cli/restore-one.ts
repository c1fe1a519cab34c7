import { lstatSync, statSync } from 'node:fs';
import { refuseOlderFormat } from '../replication/newer-format.ts';
import type { KnownEnd } from '../replication/points/known-end.ts';
import type { LastCommit } from '../replication/points/last-commit.ts';
import { type Reached, restorePoint } from '../replication/points/restore-point.ts';
import type { SystemReplica } from '../replication/replica-context.ts';
import { clarified } from '../replication/restore-failure.ts';
import { RestoreProgressView } from './restore-progress.ts';
import { showBytes, showDuration } from './sizes.ts';

/** A replica that was written so long after the last sign of life in the result may lack a part. */
const UNEXPLAINED_MS = 15 * 60_000;

export interface RestoreOne {
  readonly database: string;
  /** The newest state when undefined. */
  readonly point: Point | undefined;
  readonly outputPath: string;
  /** On the output's file system; removed if the restore made it. */
  readonly scratchDir: string;
  readonly signal: AbortSignal;
}

/** The point in time to restore. */
export interface Point {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** When the replica was last written, by any database. */
  readonly replicaEndMs: number;
  /** Per database, until when it is known that nothing more was committed. */
  readonly knownEnds: readonly KnownEnd[];
}

/** The result of a restore; `--json` prints it. */
export interface RestoreReport {
  readonly database: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly durationMs: number;
  /** Undefined when the database does not tell it. */
  readonly lastCommit: { readonly ordinal: number; readonly at: string | undefined } | undefined;
  readonly note: string | undefined;
  /** Parts of the replica that could not be used, in words. */
  readonly faults: readonly string[];
}

/**
 * Restores one database with its progress on standard error.
 * @throws Failure as `restorePoint`
 */
export async function restoreOne(
  replica: SystemReplica,
  { database, point, outputPath, scratchDir, signal }: RestoreOne,
): Promise<RestoreReport> {
  let totalBytes: number | undefined;
  const view = new RestoreProgressView(database, () => totalBytes);
  const startMs = performance.now();
  try {
    await refuseOlderFormat({ ...replica, database, signal }).catch((error) => {
      throw clarified(error);
    });
    const reached = await restorePoint({
      ...replica,
      database,
      atMs: point?.atMs,
      replicaEndMs: point?.replicaEndMs,
      knownEnd: point?.knownEnds.find((end) => end.database === database),
      outputPath,
      scratchDir,
      signal,
      onPlan: (bytes) => {
        totalBytes = bytes;
      },
      onProgress: (progress) => view.update(progress),
    });
    return {
      database,
      file: outputPath,
      sizeBytes: statSync(outputPath).size,
      durationMs: Math.round(performance.now() - startMs),
      lastCommit: shownCommit(reached.lastCommit),
      note: point ? noteOnNext(reached, point) : noteOn(reached),
      faults: reached.faults,
    };
  } finally {
    view.end();
  }
}

/** @returns a result for people, in one or two lines */
export function describeReport({
  database,
  file,
  sizeBytes,
  durationMs,
  lastCommit,
  note,
}: RestoreReport): string {
  const rate = showBytes((sizeBytes * 1000) / Math.max(1, durationMs));
  const reached = reachedText(lastCommit);
  const text = `restored ${database} to ${file}: ${showBytes(sizeBytes)} in ${showDuration(durationMs)} (${rate}/s), quick_check ok, ${reached}`;
  return note ? `${text}\nnote: ${note}` : text;
}

/** @returns a last commit in the form of a report */
export function shownCommit(commit: LastCommit | undefined): RestoreReport['lastCommit'] {
  if (commit === undefined) return undefined;
  const { ordinal, atMs } = commit;
  return { ordinal, at: ordinal === 0 ? undefined : new Date(atMs).toISOString() };
}

function reachedText(lastCommit: RestoreReport['lastCommit']): string {
  if (!lastCommit) return 'it does not tell its last commit';
  if (!lastCommit.at) return 'from before the first commit';
  return `last commit ${lastCommit.at}, number ${lastCommit.ordinal}`;
}

function noteOn({ lastCommit, replicaEndMs }: Reached): string | undefined {
  if (!lastCommit?.ordinal) return undefined;
  const silentMs = replicaEndMs - lastCommit.activeAtMs;
  if (silentMs < UNEXPLAINED_MS) return undefined;
  return `the replica was last written ${showDuration(silentMs)} after the last sign of life in this. On a system that was idle that can be; else a part of the replica is missing.`;
}

/** How far the result is from the time that was asked for. */
function noteOnNext({ next, knownEnd, faults }: Reached, { atMs }: Point): string | undefined {
  if (next) return `the commit after it is number ${next.ordinal}, of ${new Date(next.atMs).toISOString()}`;
  if (!knownEnd || faults.length > 0) return undefined;
  return `${knownEnd.source} knows of no commit from then to ${new Date(atMs).toISOString()}`;
}

/** @returns whether there is a file at a path, or one that SQLite would take for a part of it */
export function isTaken(path: string): boolean {
  // A link to nothing belongs to somebody too.
  const isThere = (file: string) => lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  return ['', '-wal', '-shm', '-journal'].some((suffix) => isThere(path + suffix));
}

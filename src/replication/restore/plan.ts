import type { CheckedWal, CheckedWals } from './checked-wals.ts';
import type { CommitRow } from './commit-row.ts';
import type { SnapshotFile } from './replica-files.ts';

/** A snapshot, and how much of the WALs after it to apply. */
export interface Plan {
  readonly snapshot: SnapshotFile;
  /** Where to stop applying; undefined for the snapshot alone. */
  readonly end: { readonly index: number; readonly bytes: number } | undefined;
  /** Why it stops before the generation's end; undefined where it does not, or stops at the time that was asked for. */
  readonly problem: string | undefined;
  /** The first commit after the time that was asked for; undefined where none is known. */
  readonly next: CommitRow | undefined;
}

/**
 * Plans how much of a generation to apply to a snapshot: all WALs up to the first gap or damage.
 *
 * @param page the page that holds the row of the writer's last commit; undefined where that is not known yet
 */
export async function planFrom(
  snapshot: SnapshotFile,
  wals: CheckedWals,
  page: number | undefined,
): Promise<Plan> {
  let assumed = page;
  let end: Plan['end'];
  let last: CommitRow | undefined;
  const stop = (problem: string | undefined, next?: CommitRow): Plan => ({ snapshot, end, problem, next });
  for (let index = snapshot.index; index <= wals.lastIndex; index += 1) {
    const wal = await wals.check(index);
    assumed ??= likelyPage(wal);
    const row = wal.rows.get(assumed ?? 0);
    const lost = last && row ? row.first.ordinal - last.ordinal - 1 : 0;
    if (lost > 0) {
      const before = index - 1;
      return stop(
        `the end of WAL ${before.toString(16).padStart(8, '0')} is missing, with ${lost} ${lost === 1 ? 'commit' : 'commits'} of the writer`,
      );
    }
    if (row?.later) {
      if (row.later.fromBytes > 0) end = { index, bytes: row.later.fromBytes };
      return stop(undefined, row.later.row);
    }
    if (wal.soundBytes > 0) end = { index, bytes: wal.soundBytes };
    if (wal.problem !== undefined) return stop(wal.problem);
    last = row?.last ?? last;
  }
  return stop(undefined);
}

/**
 * A snapshot may have been taken when a part of its own WAL was in the database file already. So a plan that ends
 * within that WAL may leave pages of later commits in the result.
 *
 * @param segments the number of segments of the generation
 * @returns whether the plan applies all commits that the snapshot may hold pages of
 */
export function isWhole({ snapshot, end, problem, next }: Plan, segments: number): boolean {
  if (end === undefined) return segments === 0;
  return end.index > snapshot.index || (problem === undefined && next === undefined);
}

/** @returns whether both restore the same */
export function isSamePlan(a: Plan, b: Plan): boolean {
  return a.end?.index === b.end?.index && a.end?.bytes === b.end?.bytes;
}

/** Guesses the page of `writer_commit`: of all rows that look like it, it changes most often. */
function likelyPage({ rows }: CheckedWal): number | undefined {
  return [...rows].sort(([, a], [, b]) => b.changes - a.changes)[0]?.[0];
}

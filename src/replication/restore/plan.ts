import type { CheckedWal, CheckedWals } from './checked-wals.ts';
import type { CommitRow } from './commit-row.ts';
import type { SnapshotFile } from './replica-files.ts';

/** A snapshot, and how much of the WALs after it is applied to it. */
export interface Plan {
  readonly snapshot: SnapshotFile;
  /** Where it ends; undefined for the snapshot alone. */
  readonly end: { readonly index: number; readonly bytes: number } | undefined;
  /** Why it ends before what the generation has; undefined where it does not, or was asked to. */
  readonly problem: string | undefined;
  /** The first commit beyond what was asked for; undefined where none is known. */
  readonly next: CommitRow | undefined;
}

/**
 * Plans what of a generation is applied to a snapshot: all that is there in one piece.
 *
 * @param page which one holds the last commit of the writer; undefined where that is not known yet
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
 * A snapshot may have been taken when part of its own WAL was in the database already; so one that ends within that WAL may
 * hold pages of later commits.
 *
 * @param segments how many the generation has
 * @returns whether all that the snapshot may hold is applied to it
 */
export function isWhole({ snapshot, end, problem, next }: Plan, segments: number): boolean {
  if (end === undefined) return segments === 0;
  return end.index > snapshot.index || (problem === undefined && next === undefined);
}

/** @returns whether both restore the same */
export function isSamePlan(a: Plan, b: Plan): boolean {
  return a.end?.index === b.end?.index && a.end?.bytes === b.end?.bytes;
}

/** The writer's last commit changes most often of all rows that look like it. */
function likelyPage({ rows }: CheckedWal): number | undefined {
  return [...rows].sort(([, a], [, b]) => b.changes - a.changes)[0]?.[0];
}

import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openReader } from '../../sqlite/open.ts';
import type { Check } from '../check-here.ts';
import { findDamage } from '../database-check.ts';
import { readLastCommit } from '../points/last-commit.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import { notRestored, reasonIn, restoreFailure } from '../restore-failure.ts';
import type { RunEnd } from '../restore-run.ts';
import { CheckedWals } from './checked-wals.ts';
import { type CommitRow, commitPageOf } from './commit-row.ts';
import type { LocalFiles } from './local-files.ts';
import { isSamePlan, isWhole, type Plan, planFrom } from './plan.ts';
import type { GenerationFiles, SnapshotFile } from './replica-files.ts';
import { makeView } from './view.ts';

export interface WalRestoreOptions extends DatabaseReplica {
  readonly files: LocalFiles;
  /** For work in progress. */
  readonly folder: string;
  /** In a folder of its own, which is emptied. */
  readonly outputPath: string;
  readonly check: Check;
  /** Restores nothing later than this; milliseconds since the epoch. Undefined for everything. */
  readonly atMs: number | undefined;
  /** Restores from the oldest snapshot, up to the next one. */
  readonly isFromOldest: boolean;
  /** Runs Litestream's restore. */
  readonly run: (configPath: string, outputPath: string) => Promise<RunEnd>;
}

/** The result of a restore. */
export interface WalRestored {
  readonly generation: string;
  /** The parts of the replica that could not be used, for people. */
  readonly faults: readonly string[];
  /** The first commit that was left out because it is later than `atMs`; undefined where none is known. */
  readonly next: CommitRow | undefined;
}

/** A file that was made, or why none was. */
interface Made {
  readonly damage: string | undefined;
  readonly ordinal: number;
  readonly atMs: number;
  /** The page of the table with the writer's last commit; undefined where there is none. */
  readonly page: number | undefined;
}

/**
 * Restores one generation up to its first gap or damage: from its newest snapshot, or from an older one where that
 * cannot be used.
 *
 * @returns undefined when nothing in the generation is as old as `atMs`
 * @throws Failure restore_failed when nothing can be restored, replica_unreachable, storage_full, not_ready
 */
export async function restoreFromWals(
  generation: GenerationFiles,
  options: WalRestoreOptions,
): Promise<WalRestored | undefined> {
  const { files, atMs } = options;
  const used = options.isFromOldest ? firstPart(generation) : generation;
  const wals = new CheckedWals(used, files, atMs);
  const faults: string[] = [];
  const parts: Plan[] = [];
  const done = (plan: Plan): WalRestored => ({
    generation: generation.name,
    faults:
      plan.problem === undefined ? faults : [...faults, `${plan.problem}; nothing after that can be used`],
    next: plan.next,
  });
  const snapshots = snapshotsFor(used.snapshots, options);
  if (snapshots[0]) {
    const { index } = snapshots[0];
    files.reserve([snapshots[0], ...used.segments.filter((segment) => segment.index >= index)]);
  }
  let isTooEarly = false;
  for (const snapshot of snapshots) {
    const plan = await planFrom(snapshot, wals, undefined);
    if (!isWhole(plan, used.segments.length)) {
      parts.push(plan);
      continue;
    }
    const { made, plan: final } = await makeByPage(plan, wals, options);
    if (made.damage !== undefined)
      faults.push(`the snapshot ${nameOf(snapshot)} cannot be used: ${made.damage}`);
    else if (made.atMs > (atMs ?? made.atMs)) isTooEarly = true;
    else return done(final);
  }
  for (const plan of parts) {
    const made = await makePart(plan, wals, options);
    if (made === undefined)
      faults.push(`the snapshot ${nameOf(plan.snapshot)} cannot be used without the WAL after it`);
    else if (made.atMs > (atMs ?? made.atMs)) isTooEarly = true;
    else return done(plan);
  }
  if (isTooEarly || (atMs !== undefined && generation.snapshots.length === 0)) return undefined;
  const isBare = generation.snapshots.length === 0;
  throw notRestored(
    options,
    `the generation ${generation.name} ${isBare ? 'has no snapshot' : `cannot be used: ${faults.join('; ')}`}`,
  );
}

/** @returns the part of a generation before its second snapshot */
function firstPart({ snapshots, segments, ...rest }: GenerationFiles): GenerationFiles {
  const endIndex = snapshots[1]?.index ?? Number.POSITIVE_INFINITY;
  return {
    ...rest,
    snapshots: snapshots.slice(0, 1),
    segments: segments.filter(({ index }) => index < endIndex),
  };
}

/** @returns the snapshots to try, in order. Times of objects only say where to look first. */
function snapshotsFor(
  snapshots: readonly SnapshotFile[],
  { atMs }: WalRestoreOptions,
): readonly SnapshotFile[] {
  const newestFirst = snapshots.toReversed();
  if (atMs === undefined) return newestFirst;
  const early = newestFirst.filter(({ storedMs }) => storedMs <= atMs);
  return early.length > 0 ? early : newestFirst.slice(-1);
}

/** Only a restored database tells which page holds the last commit. If the plan then differs, it is made again. */
async function makeByPage(
  plan: Plan,
  wals: CheckedWals,
  options: WalRestoreOptions,
): Promise<{ readonly made: Made; readonly plan: Plan }> {
  const made = await make(plan, wals, options);
  if (made.damage !== undefined) return { made, plan };
  const better = await planFrom(plan.snapshot, wals, made.page ?? 0);
  if (isSamePlan(plan, better)) return { made, plan: better };
  return { made: await make(better, wals, options), plan: better };
}

/**
 * For a plan that is not whole: makes the snapshot alone and the snapshot with its WAL, and keeps the later of the two,
 * which has everything of the other.
 * @returns undefined when neither can be used
 */
async function makePart(
  plan: Plan,
  wals: CheckedWals,
  options: WalRestoreOptions,
): Promise<Made | undefined> {
  const thorough = { ...options, check: 'integrity_check' } as const;
  const alone = await make({ ...plan, end: undefined }, wals, thorough);
  if (plan.end === undefined) return alone.damage === undefined ? alone : undefined;
  const { made } = await makeByPage(plan, wals, thorough);
  if (made.damage === undefined && (alone.damage !== undefined || alone.ordinal <= made.ordinal)) return made;
  if (alone.damage !== undefined) return undefined;
  return make({ ...plan, end: undefined }, wals, thorough);
}

async function make(plan: Plan, wals: CheckedWals, options: WalRestoreOptions): Promise<Made> {
  const { outputPath, check, signal } = options;
  const nothing = { ordinal: 0, atMs: 0, page: undefined };
  let problem: string | undefined;
  for (const isAnew of [false, true]) {
    problem = await runLitestream(plan, wals, isAnew, options);
    if (problem === undefined || plan.end === undefined) break;
  }
  problem ??= await findDamage(outputPath, signal, check);
  if (problem !== undefined) return { ...nothing, damage: problem };
  const { ordinal = 0, atMs = 0 } = readLastCommit(outputPath) ?? {};
  return { damage: undefined, ordinal, atMs, page: pageOfLastCommit(outputPath) };
}

/** @returns why it failed, where the replica is to blame; undefined on success. @throws Failure of another cause */
async function runLitestream(
  plan: Plan,
  wals: CheckedWals,
  isAnew: boolean,
  options: WalRestoreOptions,
): Promise<string | undefined> {
  const { folder, outputPath, files, run } = options;
  // Removes the output of an earlier attempt.
  rmSync(dirname(outputPath), { recursive: true, force: true });
  mkdirSync(dirname(outputPath), { mode: 0o700 });
  const configPath = await makeView(plan, wals, files, join(folder, 'view'), isAnew, options);
  if (configPath === undefined) return 'it is missing';
  const end = await run(configPath, outputPath);
  if (end.isDone) return undefined;
  const failure = await restoreFailure(options, end);
  if (end.isGone || failure.code !== 'restore_failed') throw failure;
  return reasonIn(end.lines).shown;
}

function pageOfLastCommit(path: string): number | undefined {
  const db = openReader(path);
  try {
    return commitPageOf(db);
  } finally {
    db.close();
  }
}

function nameOf({ index }: SnapshotFile): string {
  return index.toString(16).padStart(8, '0');
}

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillResult, PastDrill, PastKind } from '../../messages/drill-result.ts';

const PAST_INTERVAL_MS = 24 * 60 * 60_000;

/** The drills of a serving system, and those of a standby: the one proves nothing about what the other has. */
export type DrillRecordName = 'drill' | 'standby-drill';

/** What is remembered of the drills, over restarts. */
export interface DrillRecord {
  readonly last: DrillResult | undefined;
  /** When the last drill that passed ended; milliseconds since the epoch. */
  readonly lastOkAtMs: number | undefined;
  /** The last drill of a past state; undefined when there was none. */
  readonly past?: PastDrill | undefined;
}

/** @returns the folder that a drill restores into; it exists only during a drill */
export function drillDir(dataDir: string): string {
  return join(dataDir, 'drill');
}

/** @returns the folder of the databases that a standby's drill has restored and migrated with this code */
export function rehearsedDir(dataDir: string): string {
  return join(drillDir(dataDir), 'out');
}

/** @returns the record in a data folder; an empty one when there is none, or it cannot be read */
export function readRecord(dataDir: string, name: DrillRecordName = 'drill'): DrillRecord {
  try {
    const { last, lastOkAtMs, past } = JSON.parse(readFileSync(pathOf(dataDir, name), 'utf8')) as DrillRecord;
    const isWhole = last === undefined || !Number.isNaN(Date.parse(last.at));
    if (isWhole) return { last, lastOkAtMs, past };
  } catch {
    // No drill has run here yet, or the file is broken: the replica has to be proven anew.
  }
  return { last: undefined, lastOkAtMs: undefined };
}

/** @returns the record with one more result in it */
export function recordOf(result: DrillResult, before: DrillRecord): DrillRecord {
  const lastOkAtMs = result.ok ? Date.parse(result.at) : before.lastOkAtMs;
  return { last: result, lastOkAtMs, past: result.past ?? before.past };
}

/** @returns which past state to prove now: one a day, and the same again after a failure; undefined when none is due */
export function pastDue({ past }: DrillRecord, nowMs: number): PastKind | undefined {
  if (past?.reason !== undefined) return past.kind;
  // A time in the future comes from a clock that was wrong.
  if (past && past.atMs <= nowMs && nowMs - past.atMs < PAST_INTERVAL_MS) return undefined;
  return past?.kind === 'time' ? 'oldest' : 'time';
}

/** Writes a record atomically. @throws the system's error when the disk does not take it */
export function writeRecord(dataDir: string, record: DrillRecord, name: DrillRecordName = 'drill'): void {
  const path = pathOf(dataDir, name);
  mkdirSync(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

function pathOf(dataDir: string, name: DrillRecordName): string {
  return join(dataDir, 'run', `${name}.json`);
}

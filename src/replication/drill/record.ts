import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillResult, PastDrill, PastKind } from '../../messages/drill-result.ts';

const PAST_INTERVAL_MS = 24 * 60 * 60_000;

/** Those of a system that serves, and those of one that stands by: the one proves nothing of what the other has. */
export type DrillRecordName = 'drill' | 'standby-drill';

/** What is remembered of the drills, also by the next start. */
export interface DrillRecord {
  readonly last: DrillResult | undefined;
  /** When the last one that found nothing wrong ended; milliseconds since the epoch. */
  readonly lastOkAtMs: number | undefined;
  /** What of the past was proven last; undefined when nothing was. */
  readonly past?: PastDrill | undefined;
}

/** @returns the folder that a drill restores into; it exists only meanwhile */
export function drillDir(dataDir: string): string {
  return join(dataDir, 'drill');
}

/** @returns where the drill of a standby has its databases then, migrated by this code */
export function rehearsedDir(dataDir: string): string {
  return join(drillDir(dataDir), 'out');
}

/** @returns what the last system here remembered; nothing when it is not there or cannot be read */
export function readRecord(dataDir: string, name: DrillRecordName = 'drill'): DrillRecord {
  try {
    const { last, lastOkAtMs, past } = JSON.parse(readFileSync(pathOf(dataDir, name), 'utf8')) as DrillRecord;
    const isWhole = last === undefined || !Number.isNaN(Date.parse(last.at));
    if (isWhole) return { last, lastOkAtMs, past };
  } catch {
    // Nothing was ever drilled here, or the file is broken: then it has to be proven anew.
  }
  return { last: undefined, lastOkAtMs: undefined };
}

/**
 * @returns the record with one more result in it
 */
export function recordOf(result: DrillResult, before: DrillRecord): DrillRecord {
  const lastOkAtMs = result.ok ? Date.parse(result.at) : before.lastOkAtMs;
  return { last: result, lastOkAtMs, past: result.past ?? before.past };
}

/** @returns what of the past is to be proven now: once a day, and again where that failed; undefined when it is not time */
export function pastDue({ past }: DrillRecord, nowMs: number): PastKind | undefined {
  if (past?.reason !== undefined) return past.kind;
  // One from the future is one of a clock that was wrong.
  if (past && past.atMs <= nowMs && nowMs - past.atMs < PAST_INTERVAL_MS) return undefined;
  return past?.kind === 'time' ? 'oldest' : 'time';
}

/** Keeps a record, atomically. @throws the system's error when the disk does not take it */
export function writeRecord(dataDir: string, record: DrillRecord, name: DrillRecordName = 'drill'): void {
  const path = pathOf(dataDir, name);
  mkdirSync(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

function pathOf(dataDir: string, name: DrillRecordName): string {
  return join(dataDir, 'run', `${name}.json`);
}

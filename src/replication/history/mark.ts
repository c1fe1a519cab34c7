import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SegmentRef } from '../../messages/confirmation.ts';
import { errorCode, syncToDisk } from '../files.ts';
import type { Abandoned, Position } from './history.ts';
import type { Replacement } from './replacement.ts';
import type { Rewind } from './rewind.ts';

const VERSION = 1;

/** A commit that is known to have been made, and may have been acknowledged. */
export interface ToldPosition extends Position {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** How far the replica is behind a database. */
export interface Behind {
  /** When the oldest commit that the replica lacks was made; milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly unconfirmedBytes: number;
}

/** What is remembered of one database. */
export interface DatabaseMark {
  /** Inode of the database's file; undefined where that was not known. */
  readonly inode: number | undefined;
  /** The last commit that is known to be on this disk. */
  readonly local: ToldPosition | undefined;
  /** The last commit that is known to be in the replica. */
  readonly replicated: ToldPosition | undefined;
  /** The newest segment that Litestream reported as uploaded; undefined where it names none. */
  readonly segment: SegmentRef | undefined;
  /** The generations in the replica that were compared with this database or uploaded from it. */
  readonly generations: readonly string[];
  /** The commits that were given up, for a database of an older schema, which cannot record them. */
  readonly abandoned?: readonly Abandoned[] | undefined;
  /** The last commit of what the last start restored because the replica was ahead; undefined where it did not. */
  readonly restored?: Position | undefined;
  /** How far the replica was behind in the last report; undefined where it was not. */
  readonly behind?: Behind | undefined;
  /** The database began empty without the replica: what the replica turns out to hold is no part of it. */
  readonly isBegunAnew?: boolean | undefined;
  /** The first session after it began anew: a history with commits and without this session is from before that. */
  readonly beginning?: string | undefined;
}

/**
 * Something that a start, a restore or a running system found or did, and that a person should know of. It stands until
 * it is acknowledged; without a `quarantine` it also ends when a drill has passed.
 */
export interface Notice {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly text: string;
  /** Whether an event was recorded for it. */
  readonly isRecorded: boolean;
  /** Below the data folder: keeps commits that the database goes on without. Once it is removed, the notice is over. */
  readonly quarantine?: string | undefined;
}

/** A generation that began because objects were lost in the replica. */
export interface Renewal {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** How long no other generation may begin for that reason. */
  readonly pauseMs: number;
}

/**
 * What a system remembers of its databases outside of them. It is a lower bound: the commits that it names were made,
 * and later ones may have been acknowledged, too. It is in `DATA_DIR/run/history.json`. The primary writes that while a
 * writer runs, else the holder of the data folder's lock.
 */
export interface HistoryMark {
  readonly version: typeof VERSION;
  /** Names the operating system's installation; undefined where it has no such id. */
  readonly machineId: string | undefined;
  readonly replicaUrl: string;
  /** By name. */
  readonly databases: Readonly<Record<string, DatabaseMark>>;
  readonly notices: readonly Notice[];
  /** Whether the mark was written at a clean stop, after the last commit and the last upload. */
  readonly isFinal: boolean;
  /** Databases that are being replaced; after a crash the next start or restore finishes it. */
  readonly replacement?: Replacement | undefined;
  /** The last generation that began because objects were lost; undefined once a drill has passed. */
  readonly renewal?: Renewal | undefined;
  /** Rewinds that the features have not heard of yet, oldest first. The databases record those they have heard of. */
  readonly rewinds?: readonly Rewind[] | undefined;
  /** Mount point of the disk that a replica in a folder is on; undefined for the root file system, and for a store. */
  readonly mountPoint?: string | undefined;
  /** The id that ALLOW_EMPTY has to name so that databases begin anew without the replica. */
  readonly emptyId?: string | undefined;
  /** Why the databases could not be compared with the replica; until they are, nothing may be added to it. */
  readonly waitsBecause?: string | undefined;
}

/** @returns the mark of a database of which nothing is known */
export function emptyMark(): DatabaseMark {
  return { inode: undefined, local: undefined, replicated: undefined, segment: undefined, generations: [] };
}

/** @returns a mark that knows nothing yet of any database */
export function newMark(replicaUrl: string): HistoryMark {
  return {
    version: VERSION,
    machineId: machineId(),
    replicaUrl,
    databases: {},
    notices: [],
    isFinal: false,
  };
}

/** @returns the mark; undefined when there is none, or it cannot be read */
export function readMark(dataDir: string): HistoryMark | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(markPath(dataDir), 'utf8'));
    return isMark(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes a mark, by rename.
 * @param isToSync whether it is on disk when this returns; else a power loss may bring back the previous one
 * @throws the system's error when the disk does not take it
 */
export function writeMark(dataDir: string, mark: HistoryMark, isToSync: boolean): void {
  const path = markPath(dataDir);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(mark), { mode: 0o600, flush: isToSync });
  renameSync(`${path}.tmp`, path);
  if (isToSync) syncToDisk(dirname(path));
}

/** @returns the mark's file */
export function markPath(dataDir: string): string {
  return join(dataDir, 'run', 'history.json');
}

/** @returns the id of this installation of the operating system; undefined where it has none */
export function machineId(): string | undefined {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || undefined;
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}

function isMark(value: unknown): value is HistoryMark {
  if (!isObject(value) || value.version !== VERSION) return false;
  const { replicaUrl, databases, notices, renewal } = value;
  return (
    typeof replicaUrl === 'string' &&
    (renewal === undefined || isRenewal(renewal)) &&
    isObject(databases) &&
    Object.values(databases).every(isDatabaseMark) &&
    Array.isArray(notices) &&
    notices.every(isNotice)
  );
}

function isDatabaseMark(value: unknown): value is DatabaseMark {
  if (!isObject(value)) return false;
  const { local, replicated, segment, generations, behind } = value;
  return (
    [local, replicated].every((position) => position === undefined || isPosition(position)) &&
    (segment === undefined || isSegment(segment)) &&
    (behind === undefined || isBehind(behind)) &&
    Array.isArray(generations) &&
    generations.every((name) => typeof name === 'string')
  );
}

function isNotice(value: unknown): value is Notice {
  return isObject(value) && Number.isFinite(value.atMs) && typeof value.text === 'string';
}

function isBehind(value: unknown): value is Behind {
  return isObject(value) && Number.isFinite(value.sinceMs) && Number.isFinite(value.unconfirmedBytes);
}

function isRenewal(value: unknown): value is Renewal {
  return isObject(value) && Number.isFinite(value.atMs) && Number.isFinite(value.pauseMs);
}

function isPosition(value: unknown): value is ToldPosition {
  return (
    isObject(value) &&
    typeof value.session === 'string' &&
    Number.isSafeInteger(value.ordinal) &&
    Number.isFinite(value.atMs)
  );
}

function isSegment(value: unknown): value is SegmentRef {
  return (
    isObject(value) &&
    typeof value.generation === 'string' &&
    Number.isSafeInteger(value.index) &&
    Number.isSafeInteger(value.offsetBytes)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

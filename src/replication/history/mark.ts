import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SegmentRef } from '../../messages/confirmation.ts';
import { errorCode, syncToDisk } from '../files.ts';
import type { Abandoned, Position } from './history.ts';
import type { Replacement } from './replacement.ts';
import type { Rewind } from './rewind.ts';

const VERSION = 1;

/** A commit that somebody was told of. */
export interface ToldPosition extends Position {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** What the replica lacks of a database. */
export interface Behind {
  /** When the oldest commit of it was made; milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly unconfirmedBytes: number;
}

/** What is remembered of one database. */
export interface DatabaseMark {
  /** Of its file; undefined where that was not known. */
  readonly inode: number | undefined;
  /** The last commit that is known to be on this disk. */
  readonly local: ToldPosition | undefined;
  /** The last commit that is known to be in the replica. */
  readonly replicated: ToldPosition | undefined;
  /** The newest segment that Litestream has said it uploaded; undefined where it names none. */
  readonly segment: SegmentRef | undefined;
  /** The generations in the replica that this database knows, its own one among them. */
  readonly generations: readonly string[];
  /** What it was decided to be without, for a database that has no place for that. */
  readonly abandoned?: readonly Abandoned[] | undefined;
  /** Where it ended that the last start restored because the replica was ahead. */
  readonly restored?: Position | undefined;
  /** How far the replica was behind when that was told last; undefined where it was not. */
  readonly behind?: Behind | undefined;
  /** It was begun anew without the replica: what is there when that can be read again is none of it. */
  readonly isBegunAnew?: boolean | undefined;
  /** A session of the beginning: what has commits, and none of it, is of before that. */
  readonly beginning?: string | undefined;
}

/**
 * What a person should know of, since a start or a restore found or did it. It counts until somebody has acknowledged it;
 * until a drill has passed, where it is of no quarantine.
 */
export interface Notice {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly text: string;
  /** There is an event of it. */
  readonly isRecorded: boolean;
  /** Below the data folder: what keeps commits that the database goes on without. Without it there is nothing to tell. */
  readonly quarantine?: string | undefined;
}

/** A generation that began because something was lost in the replica. */
export interface Renewal {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** How long no other may begin for that. */
  readonly pauseMs: number;
}

/**
 * What a system remembers of its databases outside of them: a lower bound of what was told to anyone. It is in
 * `DATA_DIR/run/history.json`, which the primary writes while a writer runs, and else whoever has the data folder's lock.
 */
export interface HistoryMark {
  readonly version: typeof VERSION;
  /** Of the operating system's installation; undefined where it has none. */
  readonly machineId: string | undefined;
  readonly replicaUrl: string;
  /** By name. */
  readonly databases: Readonly<Record<string, DatabaseMark>>;
  readonly notices: readonly Notice[];
  /** The system was stopped: it was written after the last commit, and after the last upload. */
  readonly isFinal: boolean;
  /** Databases that are being replaced; whoever comes next finishes it. */
  readonly replacement?: Replacement | undefined;
  /** The last generation that began because something was lost, and how long no other may; undefined once it is proven. */
  readonly renewal?: Renewal | undefined;
  /** What the features have not heard of yet, in its order; the databases tell which of them they have. */
  readonly rewinds?: readonly Rewind[] | undefined;
  /** Where the file system of a replica in a folder was mounted; undefined for the root's, and for a store. */
  readonly mountPoint?: string | undefined;
  /** What ALLOW_EMPTY has to name so that databases begin anew without the replica. */
  readonly emptyId?: string | undefined;
  /** Why the databases could not be compared with the replica, which nothing may be added to before. */
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

/** @returns what is remembered; undefined when nothing is there, or it cannot be read: then it is not known */
export function readMark(dataDir: string): HistoryMark | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(markPath(dataDir), 'utf8'));
    return isMark(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Keeps a mark, by rename.
 * @param isToSync whether it is on disk when this returns; else a power loss may bring back the one before
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

/** @returns what names this installation of the operating system; undefined where nothing does */
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

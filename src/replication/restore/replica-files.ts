import { Failure } from '../../platform/errors.ts';
import { compareSegments, segmentFile, segmentOf } from '../history/segment.ts';
import { type DatabaseReplica, STALL_TIMEOUT_MS } from '../replica-context.ts';
import { openStore } from '../store/open.ts';
import type { StoredFile } from '../store/store.ts';
import { replicaUnreachable } from '../store/unreachable.ts';

/** For one page of a listing. */
const LIST_TIMEOUT_MS = 20_000;
/** In a bucket the folder of a level is directly below the database, without `ltx/`. */
const LTX_PATH = /^[^/]+\/(?:ltx\/)?([0-9a-f]+)\/([0-9a-f]{16})-[0-9a-f]{16}\.ltx$/;

/** One file of a replica. Its time decides nothing. */
export type ReplicaFile = StoredFile;

export interface SnapshotFile extends ReplicaFile {
  /** Index of the WAL that follows the snapshot. */
  readonly index: number;
}

export interface SegmentFile extends ReplicaFile {
  readonly index: number;
  readonly offsetBytes: number;
}

/** What a replica holds of one generation of a database. */
export interface GenerationFiles {
  readonly name: string;
  /** Sorted by index. */
  readonly snapshots: readonly SnapshotFile[];
  /** Sorted by index and offset. */
  readonly segments: readonly SegmentFile[];
  /** When its newest file was stored; only a hint where to look first. */
  readonly storedMs: number;
}

/** A file of Litestream 0.5. */
export interface LtxFile extends ReplicaFile {
  /** How often it was merged; the highest level has the snapshots. */
  readonly level: number;
  /** The first transaction in the file. */
  readonly firstTxid: number;
}

/** What a replica holds of a database. */
export interface ReplicaFiles {
  /** Of Litestream 0.3, in no order. */
  readonly generations: readonly GenerationFiles[];
  readonly ltx: readonly LtxFile[];
}

/** @throws Failure replica_unreachable, not_ready (aborted) */
export async function listReplicaFiles(source: DatabaseReplica): Promise<ReplicaFiles> {
  const { config, database, env, stallTimeoutMs = STALL_TIMEOUT_MS, signal } = source;
  const found = new Map<string, { snapshots: SnapshotFile[]; segments: SegmentFile[]; storedMs: number }>();
  const ltx: LtxFile[] = [];
  const note = (file: ReplicaFile) => {
    const [, level, firstTxid] = LTX_PATH.exec(file.path) ?? [];
    if (level && firstTxid)
      ltx.push({ ...file, level: Number.parseInt(level, 16), firstTxid: Number.parseInt(firstTxid, 16) });
    const [, name = '', kind, base = ''] =
      /^[^/]+\/generations\/([0-9a-f]{16})\/(snapshots|wal)\/([^/]+)$/.exec(file.path) ?? [];
    const snapshot = kind === 'snapshots' ? /^([0-9a-f]{8})\.snapshot\.lz4$/.exec(base)?.[1] : undefined;
    const segment = kind === 'wal' ? segmentOf(name, base) : undefined;
    if (snapshot === undefined && segment === undefined) return;
    const files = found.get(name) ?? { snapshots: [], segments: [], storedMs: 0 };
    found.set(name, files);
    files.storedMs = Math.max(files.storedMs, file.storedMs);
    if (snapshot !== undefined) files.snapshots.push({ ...file, index: Number.parseInt(snapshot, 16) });
    if (segment) files.segments.push({ ...file, index: segment.index, offsetBytes: segment.offsetBytes });
  };
  try {
    const store = openStore({ config, env, timeoutMs: Math.min(stallTimeoutMs, LIST_TIMEOUT_MS), signal });
    for await (const file of store.files(database)) note(file);
  } catch (error) {
    if (!signal?.aborted) throw replicaUnreachable(config.replica, error);
  }
  if (signal?.aborted) throw new Failure('not_ready', 'Stopped while listing the replica');
  const generations = [...found].map(([name, { snapshots, segments, storedMs }]) => ({
    name,
    snapshots: snapshots.sort((a, b) => a.index - b.index),
    segments: segments.sort(compareSegments),
    storedMs,
  }));
  return { generations, ltx };
}

/** @returns when the newest file was stored, in milliseconds since the epoch; 0 where there is none */
export function newestMs(files: readonly ReplicaFile[]): number {
  return files.reduce((newest, { storedMs }) => Math.max(newest, storedMs), 0);
}

/** @returns the name of a segment, for people */
export function segmentName(segment: Pick<SegmentFile, 'index' | 'offsetBytes'>): string {
  return segmentFile(segment).replace('.wal.lz4', '');
}

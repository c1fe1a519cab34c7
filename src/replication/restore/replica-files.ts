import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { isFileReplicaEmpty } from '../file-replica.ts';
import { errorCode } from '../files.ts';
import { compareSegments, segmentFile, segmentOf } from '../history/segment.ts';
import { replicaPath } from '../litestream-config.ts';
import { replicaUnreachable } from '../restore-failure.ts';
import { listObjects, type StoredObject } from '../s3-list.ts';
import { retried } from './retry.ts';

/** A page of a listing takes a store no longer. */
const LIST_TIMEOUT_MS = 20_000;

/** One file of a replica that a Litestream of version 0.3 writes. */
export interface ReplicaFile {
  /** Below the replica of its database. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was stored, in milliseconds since the epoch, on the store's clock. It decides nothing. */
  readonly storedMs: number;
}

export interface SnapshotFile extends ReplicaFile {
  /** Of the WAL that follows it. */
  readonly index: number;
}

export interface SegmentFile extends ReplicaFile {
  readonly index: number;
  readonly offsetBytes: number;
}

/** What a replica holds of one generation of a database. */
export interface GenerationFiles {
  readonly name: string;
  /** By index. */
  readonly snapshots: readonly SnapshotFile[];
  /** By index and offset. */
  readonly segments: readonly SegmentFile[];
  /** When its newest file was stored; a hint where to look first. */
  readonly storedMs: number;
}

export interface ReplicaSource {
  readonly config: Config;
  /** Its name without `.db`. */
  readonly database: string;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
  /** How long the store may say nothing. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @returns the generations that the replica has of a database, in no order
 * @throws Failure replica_unreachable
 */
export async function listReplicaFiles(source: ReplicaSource): Promise<GenerationFiles[]> {
  const { config, database } = source;
  const { replica } = config;
  const path = replicaPath(replica, database);
  const found = new Map<string, { snapshots: SnapshotFile[]; segments: SegmentFile[]; storedMs: number }>();
  const note = (file: ReplicaFile) => {
    const [, name = '', kind, base = ''] =
      /^generations\/([0-9a-f]{16})\/(snapshots|wal)\/([^/]+)$/.exec(file.path) ?? [];
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
    if (replica.type === 'file') {
      if (!isFileReplicaEmpty(replica, database)) await listFolder(path, note);
    } else {
      const prefix = `${path}/`;
      const objects = await retried(() => listBucket(source, replica.bucket, prefix), source.signal);
      for (const { key, ...file } of objects) note({ ...file, path: key.slice(prefix.length) });
    }
  } catch (error) {
    if (!source.signal?.aborted)
      throw error instanceof Failure ? error : replicaUnreachable(replica, (error as Error).message);
  }
  if (source.signal?.aborted) throw new Failure('not_ready', 'Stopped while listing the replica');
  return [...found].map(([name, { snapshots, segments, storedMs }]) => ({
    name,
    snapshots: snapshots.sort((a, b) => a.index - b.index),
    segments: segments.sort(compareSegments),
    storedMs,
  }));
}

/** @returns the name of a segment, for people */
export function segmentName(segment: Pick<SegmentFile, 'index' | 'offsetBytes'>): string {
  return segmentFile(segment).replace('.wal.lz4', '');
}

async function listBucket(
  { config, env, stallTimeoutMs, signal }: ReplicaSource,
  bucket: string,
  prefix: string,
): Promise<StoredObject[]> {
  const options = {
    config,
    bucket,
    prefix,
    env,
    timeoutMs: Math.min(stallTimeoutMs, LIST_TIMEOUT_MS),
    signal,
  };
  const objects: StoredObject[] = [];
  for await (const object of listObjects(options)) objects.push(object);
  return objects;
}

async function listFolder(folder: string, note: (file: ReplicaFile) => void): Promise<void> {
  const generations = join(folder, 'generations');
  for (const generation of await namesIn(generations)) {
    for (const kind of ['snapshots', 'wal']) {
      const below = join('generations', generation, kind);
      for (const name of await namesIn(join(folder, below))) {
        const path = join(below, name);
        const { size: sizeBytes, mtimeMs: storedMs } = await stat(join(folder, path));
        note({ path, sizeBytes, storedMs });
      }
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error))) return [];
    throw error;
  }
}

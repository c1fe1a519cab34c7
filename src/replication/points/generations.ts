import { LTX_GENERATION } from '../history/segment.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import {
  type GenerationFiles,
  type LtxFile,
  listReplicaFiles,
  newestMs,
  type ReplicaFile,
} from '../restore/replica-files.ts';
import { clarified } from '../restore-failure.ts';

const SNAPSHOT_LEVEL = 9;

export interface Snapshot {
  readonly index: number;
  readonly createdMs: number;
  readonly sizeBytes: number;
  /** The size of all WAL after the snapshot. */
  readonly walBytes: number;
  /** The snapshot can be restored from this time on, when the replica had a segment after it. Undefined without one. */
  readonly usableFromMs: number | undefined;
}

/** One unbroken history of a database in its replica. */
export interface Generation {
  readonly name: string;
  /** Any time from `fromMs` to `toMs` can be restored; no time while `fromMs` is undefined. */
  readonly fromMs: number | undefined;
  readonly toMs: number;
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  readonly segments: number;
  /** The stored, compressed size. */
  readonly sizeBytes: number;
}

/**
 * Lists what a replica holds of one database.
 * @returns its generations, oldest first; empty when the replica can be reached and has nothing of the database
 * @throws Failure replica_unreachable, replica_denied, bucket_missing, not_ready (aborted)
 */
export async function listGenerations(source: DatabaseReplica): Promise<readonly Generation[]> {
  const { generations, ltx } = await listReplicaFiles(source).catch((error) => {
    throw clarified(error);
  });
  if (source.binary.format === 'ltx') return ltxGeneration(ltx);
  return generations.map(generationOf).sort((a, b) => (a.fromMs ?? a.toMs) - (b.fromMs ?? b.toMs));
}

/** @returns which times of a generation of Litestream 0.3 can be restored. Times are the store's, in whole seconds. */
export function generationOf({ name, storedMs, segments, ...files }: GenerationFiles): Generation {
  const snapshots = files.snapshots.map(({ index, storedMs: createdMs, sizeBytes }) => {
    const following = segments.filter((segment) => segment.index >= index);
    const followedMs = following.reduce((first, segment) => Math.min(first, segment.storedMs), Infinity);
    // A snapshot without any WAL in its whole generation is restored as it is.
    const usableMs = segments.length === 0 ? createdMs : Math.max(createdMs, followedMs);
    const usableFromMs = usableMs === Infinity ? undefined : usableMs;
    return { index, createdMs, sizeBytes, walBytes: sumBytes(following), usableFromMs };
  });
  const usable = snapshots.flatMap(({ usableFromMs }) => usableFromMs ?? []);
  return {
    name,
    fromMs: usable.length === 0 ? undefined : Math.min(...usable),
    toMs: storedMs,
    snapshots,
    segments: segments.length,
    sizeBytes: sumBytes(segments) + sumBytes(snapshots),
  };
}

/** @returns the range of times that the generations cover; undefined when nothing can be restored */
export function rangeOf(
  generations: readonly Generation[],
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const usable = generations.filter(({ fromMs }) => fromMs !== undefined);
  if (usable.length === 0) return undefined;
  return {
    fromMs: Math.min(...usable.map(({ fromMs = 0 }) => fromMs)),
    toMs: Math.max(...usable.map(({ toMs }) => toMs)),
  };
}

/** @returns the one history that Litestream 0.5 has of a database, as one generation; empty when there is no file */
function ltxGeneration(files: readonly LtxFile[]): readonly Generation[] {
  if (files.length === 0) return [];
  const isBase = ({ level, firstTxid }: LtxFile) => level === SNAPSHOT_LEVEL || firstTxid === 1;
  const bases = files.filter(isBase).sort((a, b) => a.storedMs - b.storedMs);
  const snapshots = bases.map(({ storedMs: createdMs, sizeBytes }, index) => {
    // Merged transactions are in two files for a while, so the size is only a good guess.
    const later = files.filter(({ level, storedMs }) => level === 1 && storedMs > createdMs);
    return { index, createdMs, sizeBytes, walBytes: sumBytes(later), usableFromMs: createdMs };
  });
  return [
    {
      name: LTX_GENERATION,
      fromMs: bases[0]?.storedMs,
      toMs: newestMs(files),
      snapshots,
      segments: files.length - bases.length,
      sizeBytes: sumBytes(files),
    },
  ];
}

function sumBytes(files: readonly Pick<ReplicaFile, 'sizeBytes'>[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

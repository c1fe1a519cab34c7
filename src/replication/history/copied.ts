import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentRef } from '../../messages/confirmation.ts';
import { databasePath } from '../litestream-config.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import { localFiles } from '../restore/local-files.ts';
import { decodeLz4 } from '../restore/lz4.ts';
import { segmentFile } from './segment.ts';
import { shadowsOf } from './sidecar.ts';

/** Short, since the store answered the listing a moment ago. */
const STALL_TIMEOUT_MS = 3000;

/**
 * The name of a segment tells only where it begins. Where it ends, and whether its bytes are those that Litestream
 * copied here, only its content tells.
 *
 * @param scratchDir for the download
 * @returns whether Litestream's copy of the WAL has all of a segment of its generation, as it is in the replica
 * @throws Failure replica_unreachable, storage_full, not_ready (aborted)
 */
export async function isCopied(
  segment: SegmentRef,
  source: DatabaseReplica,
  scratchDir: string,
): Promise<boolean> {
  const { config, database } = source;
  const { generation, index } = segment;
  const shadow = shadowsOf(databasePath(config.DATA_DIR, database)).find((each) => each.index === index);
  if (!shadow) return false;
  const path = `${database}/generations/${generation}/wal/${segmentFile(segment)}`;
  const files = localFiles(
    { ...source, stallTimeoutMs: STALL_TIMEOUT_MS },
    join(scratchDir, 'compared'),
    () => {},
  );
  const local = await files.get({ path, sizeBytes: 0, storedMs: 0 });
  if (local === undefined) return false;
  const copy = openSync(shadow.path, 'r');
  let place = segment.offsetBytes;
  try {
    for await (const bytes of decodeLz4(createReadStream(local))) {
      const copied = Buffer.alloc(bytes.length);
      if (readSync(copy, copied, 0, bytes.length, place) < bytes.length || copied.compare(bytes) !== 0)
        return false;
      place += bytes.length;
    }
    return true;
  } catch {
    // The segment cannot be decoded, so it is not what was copied here.
    return false;
  } finally {
    closeSync(copy);
  }
}

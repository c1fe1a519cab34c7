import { createReadStream, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import { segmentFile } from '../history/segment.ts';
import { renderLitestreamConfig } from '../litestream-config.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import type { CheckedWals } from './checked-wals.ts';
import type { LocalFiles } from './local-files.ts';
import { decodeLz4, storedLz4 } from './lz4.ts';
import type { Plan } from './plan.ts';
import type { ReplicaFile } from './replica-files.ts';

/**
 * Makes a replica in a folder that has exactly what the plan applies, mostly of links to the local files.
 *
 * @param isAnew whether to write all segments anew: Litestream's decoder refuses some that are sound
 * @param folder for the replica; its content is removed first
 * @returns the path of a Litestream configuration for it; undefined when the snapshot is gone
 * @throws Failure as `LocalFiles.get`; restore_failed when a segment is gone
 */
export async function makeView(
  { snapshot, end }: Plan,
  wals: CheckedWals,
  files: LocalFiles,
  folder: string,
  isAnew: boolean,
  { config, database }: DatabaseReplica,
): Promise<string | undefined> {
  rmSync(folder, { recursive: true, force: true });
  const place = ({ path }: Pick<ReplicaFile, 'path'>) => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    return target;
  };
  const local = await files.get(snapshot);
  if (local === undefined) return undefined;
  symlinkSync(local, place(snapshot));
  for (let index = snapshot.index; end && index <= end.index; index += 1) {
    const { pieces, soundBytes } = await wals.check(index);
    const endBytes = index === end.index ? end.bytes : soundBytes;
    for (const [each, { segment, fromBytes }] of pieces.entries()) {
      if (fromBytes >= endBytes) break;
      const path = await files.get(segment);
      if (path === undefined) throw new Failure('restore_failed', `${segment.path} is gone from the replica`);
      const follower = pieces[each + 1];
      const isToItsEnd = index < end.index || (follower !== undefined && follower.fromBytes <= endBytes);
      const skippedBytes = fromBytes - segment.offsetBytes;
      if (isToItsEnd && skippedBytes === 0 && !isAnew) {
        symlinkSync(path, place(segment));
        continue;
      }
      const content = await contentOf(path, isToItsEnd ? undefined : endBytes - segment.offsetBytes);
      const name = segmentFile({ index, offsetBytes: fromBytes });
      const target = place({ path: join(dirname(segment.path), name) });
      writeFileSync(target, storedLz4(content.subarray(skippedBytes)));
    }
  }
  const configPath = join(folder, 'litestream.yml');
  const replica = { type: 'file', path: folder, url: `file:${folder}` } as const;
  writeFileSync(configPath, renderLitestreamConfig({ ...config, replica }, [database]), { mode: 0o600 });
  return configPath;
}

/** @returns the content of a segment, or its first `sizeBytes` bytes */
async function contentOf(path: string, sizeBytes: number | undefined): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let gotBytes = 0;
  for await (const bytes of decodeLz4(createReadStream(path))) {
    parts.push(bytes);
    gotBytes += bytes.length;
    // The rest may be damaged.
    if (gotBytes >= (sizeBytes ?? Number.POSITIVE_INFINITY)) break;
  }
  return Buffer.concat(parts).subarray(0, sizeBytes);
}

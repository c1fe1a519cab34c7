import { createReadStream, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../errors.ts';
import { renderLitestreamConfig } from '../litestream-config.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import type { CheckedWals } from './checked-wals.ts';
import type { LocalFiles } from './local-files.ts';
import { decodeLz4, storedLz4 } from './lz4.ts';
import type { Plan } from './plan.ts';
import type { ReplicaFile } from './replica-files.ts';

/**
 * Makes a replica that has what is planned and nothing else, of links to the files that are there.
 *
 * @param isAnew whether the segments are written anew: Litestream's decoder refuses some that are sound
 * @param folder for it; what is there is removed
 * @returns a configuration of Litestream for it; undefined when the snapshot is gone
 * @throws Failure as `LocalFiles.get`
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
  const place = ({ path }: ReplicaFile) => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    return target;
  };
  const local = await files.get(snapshot);
  if (local === undefined) return undefined;
  symlinkSync(local, place(snapshot));
  for (let index = snapshot.index; end && index <= end.index; index += 1) {
    const segments = wals.segmentsOf(index);
    const endBytes = index === end.index ? end.bytes : (await wals.check(index)).soundBytes;
    for (const [each, segment] of segments.entries()) {
      if (segment.offsetBytes >= endBytes) break;
      const path = await files.get(segment);
      if (path === undefined) throw new Failure('restore_failed', `${segment.path} is gone from the replica`);
      const follower = segments[each + 1];
      const isWhole = index < end.index || (follower !== undefined && follower.offsetBytes <= endBytes);
      if (isWhole && !isAnew) symlinkSync(path, place(segment));
      else
        writeFileSync(
          place(segment),
          await written(path, isWhole ? undefined : endBytes - segment.offsetBytes),
        );
    }
  }
  const configPath = join(folder, 'litestream.yml');
  const replica = { type: 'file', path: folder, url: `file:${folder}` } as const;
  writeFileSync(configPath, renderLitestreamConfig({ ...config, replica }, [database]), { mode: 0o600 });
  return configPath;
}

/** @returns a segment with the same content, or so many bytes of it */
async function written(path: string, sizeBytes: number | undefined): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let gotBytes = 0;
  for await (const bytes of decodeLz4(createReadStream(path))) {
    parts.push(bytes);
    gotBytes += bytes.length;
    // What follows may be damaged.
    if (gotBytes >= (sizeBytes ?? Number.POSITIVE_INFINITY)) break;
  }
  return storedLz4(Buffer.concat(parts).subarray(0, sizeBytes));
}

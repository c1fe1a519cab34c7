import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { carriedLitestream } from '../../src/testing/carried-litestream.ts';
import { temporaryFolder } from './system.ts';

const BINARY = carriedLitestream() ?? 'litestream';

/**
 * Restores the databases of a file replica with the stock binary and none of our code.
 * @returns a folder that holds main.db and media.db
 */
export function restoreByHand(t: Test, dataDir: string): string {
  const folder = temporaryFolder(t);
  for (const name of ['main', 'media']) {
    const replica = `file://${join(dataDir, 'replica', name)}`;
    const { status, stderr } = spawnSync(BINARY, ['restore', '-o', join(folder, `${name}.db`), replica]);
    if (status !== 0) throw new Error(`litestream restore of ${name}: ${stderr}`);
  }
  return folder;
}

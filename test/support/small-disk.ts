import { execFileSync, spawnSync } from 'node:child_process';
import type { Test } from 'tap';
import { temporaryFolder } from './system.ts';

/** Why there can be none here, for a test's `skip`; false where there can. */
export const noSmallDisk =
  process.platform === 'linux' && process.getuid?.() === 0 ? false : 'only root mounts a disk';

/**
 * Mounts a disk of a size on a folder; it goes with the test.
 * @returns the folder
 */
export function smallDisk(t: Test, sizeKb: number, folder = temporaryFolder(t)): string {
  const { status, stderr } = spawnSync('mount', [
    ...['-t', 'tmpfs', '-o', `size=${sizeKb}k,mode=0700`],
    ...['tmpfs', folder],
  ]);
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  t.teardown(() => void spawnSync('umount', ['-l', folder]));
  return folder;
}

/** Gives it another size. */
export function resizeDisk(folder: string, sizeKb: number): void {
  execFileSync('mount', ['-o', `remount,size=${sizeKb}k`, folder]);
}

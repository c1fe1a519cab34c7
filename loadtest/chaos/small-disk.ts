import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

const BALLAST_CHUNK = Buffer.alloc(64 * 1024);

/** @returns why no small disk can be mounted here; undefined when one can */
export function obstacleToDisks(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'mounting a small disk needs root';
}

/** Mounts a small disk at the stage's data folder. */
export function mountDisk(stage: Stage, sizeMib: number): void {
  stage.dataDir = join(smallDisk(stage, sizeMib), 'data');
  mkdirSync(stage.dataDir);
}

/** Mounts a small disk in the stage's folder. @returns its folder */
export function smallDisk(stage: Stage, sizeMib: number): string {
  const folder = join(stage.folder, 'disk');
  mkdirSync(folder);
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder]);
  if (status !== 0) throw new Error(`cannot mount a disk: ${stderr}`);
  stage.defer(() => {
    spawnSync('umount', ['-l', folder]);
  });
  return folder;
}

/** Appends to a file until its disk has only `leaveBytes` free; by default until not a byte more fits. */
export function fill(path: string, leaveBytes = 0): void {
  const fd = openSync(path, 'a');
  try {
    const { bavail, bsize } = statfsSync(path);
    for (let tooMuch = bavail * bsize - leaveBytes; tooMuch > 0; tooMuch -= BALLAST_CHUNK.length) {
      writeSync(fd, BALLAST_CHUNK);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(fd);
  }
}

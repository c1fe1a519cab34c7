import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseNote } from './contender.ts';

const OWNER_ALONE = 0o600;

/** @returns the note of a data folder; undefined where there is none, or none that can be read */
export function readNote(dataDir: string): LeaseNote | undefined {
  try {
    const { epoch, session, n, isWhole, isGivenAway } = JSON.parse(readFileSync(pathIn(dataDir), 'utf8'));
    const isNote = Number.isSafeInteger(epoch) && Number.isSafeInteger(n) && typeof session === 'string';
    return isNote
      ? { epoch, session, n, isWhole: isWhole === true, isGivenAway: isGivenAway === true }
      : undefined;
  } catch {
    // Without a note the system begins another epoch, which is always right.
    return undefined;
  }
}

/**
 * Replaces the note. It is not synced: it has to outlive the process, but not a reboot, which begins another epoch.
 *
 * @param dataDir absolute; its folder `run` exists
 */
export function writeNote(dataDir: string, note: LeaseNote): void {
  const path = pathIn(dataDir);
  writeFileSync(`${path}.part`, JSON.stringify(note), { mode: OWNER_ALONE });
  renameSync(`${path}.part`, path);
}

/** Removes the note, so that the next start begins another epoch, from the folder that counts. */
export function removeNote(dataDir: string): void {
  rmSync(pathIn(dataDir), { force: true });
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'run', 'lease-note.json');
}

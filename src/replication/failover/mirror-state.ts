import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldRecord } from '../../messages/positions.ts';

/** What a mirror is known to have, as kept in JSON. */
export interface MirrorState extends Pick<HeldRecord, 'confirmed'> {
  /** The epoch's folder, below the replica and below the mirror. */
  readonly folder: string;
}

/** @returns what the mirror has at least; undefined before its first pass */
export function readMirrorState(dataDir: string): MirrorState | undefined {
  try {
    return JSON.parse(readFileSync(pathIn(dataDir), 'utf8')) as MirrorState;
  } catch {
    return undefined;
  }
}

/** @param dataDir absolute; its folder `run` exists */
export function writeMirrorState(dataDir: string, state: MirrorState): void {
  writeFileSync(`${pathIn(dataDir)}.part`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${pathIn(dataDir)}.part`, pathIn(dataDir));
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'run', 'mirror.json');
}

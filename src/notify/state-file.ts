import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Condition } from './conditions.ts';

/** Room for 40 conditions. The size never changes, so that the file can be written in place on a full disk. */
const FILE_BYTES = 64 * 1024;

/** The state that the next process needs. */
export interface NotifyState {
  readonly writtenAtMs: number;
  readonly lastEventId: number;
  readonly sentAtMs: readonly number[];
  readonly conditions: readonly Condition[];
}

/** @returns the path of the state file in a data folder */
export function notifyStatePath(dataDir: string): string {
  return join(dataDir, 'run', 'notify.json');
}

/** @returns the stored state; undefined when there is none, or it cannot be read */
export function readState(dataDir: string): NotifyState | undefined {
  try {
    const state = JSON.parse(readFileSync(notifyStatePath(dataDir), 'utf8')) as NotifyState;
    const { writtenAtMs, lastEventId, sentAtMs, conditions } = state;
    const isWhole =
      [writtenAtMs, lastEventId, ...sentAtMs].every(Number.isFinite) && Array.isArray(conditions);
    return isWhole ? state : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes the state in place, over the old one: a new file would need room on a disk that may be full.
 * @throws Error when it cannot be written
 */
export function writeState(dataDir: string, state: NotifyState): void {
  const bytes = Buffer.alloc(FILE_BYTES, ' ');
  const text = Buffer.from(JSON.stringify(state));
  if (text.length >= FILE_BYTES)
    throw new RangeError(`The state of the notifications has ${text.length} bytes`);
  text.copy(bytes);
  const file = openSync(notifyStatePath(dataDir), constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    for (let at = 0; at < FILE_BYTES; ) at += writeSync(file, bytes, at, FILE_BYTES - at, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

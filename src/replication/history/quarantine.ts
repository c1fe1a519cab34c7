import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { folderSizeBytes } from '../files.ts';
import type { Abandoned } from './history.ts';
import type { Notice } from './mark.ts';

const MB_BYTES = 1_000_000;

/**
 * @param folder where the replaced files are now, if there were any
 * @returns the notice about commits that a database goes on without; undefined where there are none
 */
export function noticeOf(
  dataDir: string,
  database: string,
  folder: string,
  abandoned: readonly Abandoned[],
): Notice | undefined {
  if (abandoned.length === 0) return undefined;
  const commits = `${describeAbandoned(abandoned)} of ${database}`;
  const common = { atMs: Date.now(), isRecorded: false };
  if (!existsSync(folder))
    return {
      ...common,
      text: `The database ${database} goes on without ${commits}, which nothing here keeps.`,
    };
  const size = `${(folderSizeBytes(folder) / MB_BYTES).toFixed(1)} MB`;
  const text = `${folder} (${size}) keeps what there is of ${commits}, which the database goes on without. Nothing removes it by itself.`;
  return { ...common, text, quarantine: relative(dataDir, folder) };
}

/** @returns whether a notice still applies: not when its quarantine was removed */
export function isOfNow(dataDir: string, { quarantine }: Notice): boolean {
  return quarantine === undefined || existsSync(join(dataDir, quarantine));
}

/** @returns commits by their numbers, for people */
export function describeCommits(first: number, last: number): string {
  return first === last ? `commit ${first}` : `commits ${first} to ${last}`;
}

/** @returns which commits are given up, for people */
function describeAbandoned(abandoned: readonly Abandoned[]): string {
  const first = Math.min(...abandoned.map(({ firstOrdinal }) => firstOrdinal));
  const last = Math.max(...abandoned.map(({ lastOrdinal }) => lastOrdinal));
  return describeCommits(first, last);
}

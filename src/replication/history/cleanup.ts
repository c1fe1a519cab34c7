import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../platform/log.ts';
import { fileTime } from '../leftovers.ts';
import { readMark } from './mark.ts';

/** At most this many folders a database are kept, and none for longer than AGE_MAX_MS; the newest always is. */
const KEPT_MAX = 5;
const AGE_MAX_MS = 30 * 24 * 60 * 60_000;
/** `damaged/main-20260102T030405678Z`, and `replaced/20260102T030405678Z`. */
const FOLDER = /^(?:(.+)-)?(\d{8}T\d{9}Z)$/;
const DATABASE = /^(.+)\.db$/;

/** Marks a database that was put aside: the one that took its place has all of its commits. */
export function markContained(folder: string, database: string): void {
  if (existsSync(folder)) writeFileSync(containedPath(folder, database), '', { mode: 0o600 });
}

/**
 * Removes old folders in `damaged/` and `replaced/`, and logs each. It removes only those of which the database is
 * known to have every commit, and which no notice and no pending rewind names. All others are for a person to remove.
 * What cannot be read or removed stays: the databases serve without it.
 */
export function removeOldLeftovers(dataDir: string, log: Logger, nowMs = Date.now()): void {
  const { notices = [], rewinds = [] } = readMark(dataDir) ?? {};
  const named = new Set([
    ...notices.map(({ quarantine }) => quarantine),
    ...rewinds.map(({ folder }) => folder),
  ]);
  const oldest = fileTime(nowMs - AGE_MAX_MS);
  for (const kind of ['damaged', 'replaced']) {
    for (const names of groupsIn(join(dataDir, kind))) {
      const [, ...others] = names.toSorted((one, other) => timeOf(other).localeCompare(timeOf(one)));
      const spare = others.filter(
        (name) => !named.has(join(kind, name)) && isContained(join(dataDir, kind, name)),
      );
      for (const [place, name] of spare.entries()) {
        if (place < KEPT_MAX - 1 && timeOf(name) > oldest) continue;
        const folder = join(dataDir, kind, name);
        try {
          rmSync(folder, { recursive: true, force: true });
        } catch (err) {
          log.warn({ err, folder }, `${folder} is not needed any more, and cannot be removed`);
          continue;
        }
        log.info(
          { folder },
          `removed ${folder}: the databases have all commits of it, and newer ones are kept`,
        );
      }
    }
  }
}

/** @returns the folders grouped by database; those in `replaced/` are one group, each holds several databases */
function groupsIn(folder: string): string[][] {
  const names = namesIn(folder).filter((name) => FOLDER.test(name));
  return Object.values(Object.groupBy(names, (name) => FOLDER.exec(name)?.[1] ?? '')).map(
    (group) => group ?? [],
  );
}

/** @returns nothing where it is no folder, or closed to this user */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function timeOf(name: string): string {
  return FOLDER.exec(name)?.[2] ?? '';
}

function isContained(folder: string): boolean {
  const databases = namesIn(folder).flatMap((name) => DATABASE.exec(name)?.[1] ?? []);
  return databases.length > 0 && databases.every((name) => existsSync(containedPath(folder, name)));
}

function containedPath(folder: string, database: string): string {
  return join(folder, `${database}.contained`);
}

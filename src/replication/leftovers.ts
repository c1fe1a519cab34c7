import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncToDisk } from './files.ts';
import { databasePath, sidecarPath } from './litestream-config.ts';

/**
 * The files of a database, in the order in which they are moved. The database comes first: after a crash in between, a
 * database without its WAL would pass for a sound one of an earlier time. A WAL without its database passes for
 * nothing.
 */
function partsOf(database: string): string[] {
  const file = `${database}.db`;
  return [file, `${file}-wal`, `${file}-shm`, `${file}-journal`, `.${file}-litestream`];
}

/**
 * @returns the path that shows that there was a database here before; undefined when nothing does. A data folder with
 *   such a trace is not new, so it must not silently get an empty database.
 */
export function traceOf(dataDir: string, database: string): string | undefined {
  const walPath = `${databasePath(dataDir, database)}-wal`;
  if ((statSync(walPath, { throwIfNoEntry: false })?.size ?? 0) > 0) return walPath;
  const sidecar = sidecarPath(databasePath(dataDir, database));
  if (existsSync(sidecar)) return sidecar;
  const damagedDir = join(dataDir, 'damaged');
  const moved = existsSync(damagedDir)
    ? readdirSync(damagedDir).findLast((name) => isOf(database, name))
    : undefined;
  return moved && join(damagedDir, moved);
}

/**
 * Moves a database with all of its files to `DATA_DIR/damaged/<name>-<UTC time>/`: a restored file beside the WAL of
 * another one would be corrupt. Nothing is deleted.
 *
 * @returns the folder that they are in now, or undefined when there was nothing to move
 */
export function moveAside(dataDir: string, database: string, nowMs: number): string | undefined {
  const folder = damagedFolder(dataDir, database, nowMs);
  return moveInto(folder, dataDir, database) ? folder : undefined;
}

/** @returns the folder for a damaged database and its files */
export function damagedFolder(dataDir: string, database: string, nowMs: number): string {
  return join(dataDir, 'damaged', `${database}-${fileTime(nowMs)}`);
}

/** @returns a UTC time as a part of a file's name */
export function fileTime(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(/[-:.]/g, '');
}

/**
 * Moves a database with all of its files into a folder, which is made. After a crash in between some files are in the
 * one place and the rest in the other; none is lost.
 *
 * @param folder below the data folder
 * @returns whether there was anything to move
 */
export function moveInto(folder: string, dataDir: string, database: string): boolean {
  const parts = partsOf(database).filter((part) => existsSync(join(dataDir, part)));
  if (parts.length === 0) return false;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const part of parts) {
    renameSync(join(dataDir, part), join(folder, part));
    syncToDisk(folder);
    syncToDisk(dataDir);
  }
  syncToDisk(dirname(folder));
  return true;
}

/** Moves back the files that `moveInto` has moved, except where a file is in their place. */
export function moveBack(folder: string, dataDir: string, database: string): void {
  for (const part of partsOf(database).toReversed()) {
    if (!existsSync(join(folder, part)) || existsSync(join(dataDir, part))) continue;
    renameSync(join(folder, part), join(dataDir, part));
    syncToDisk(dataDir);
  }
}

function isOf(database: string, folderName: string): boolean {
  return (
    folderName.startsWith(`${database}-`) && /^\d{8}T\d{9}Z$/.test(folderName.slice(database.length + 1))
  );
}

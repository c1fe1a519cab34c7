import { accessSync, constants, existsSync, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../platform/errors.ts';
import { makeFolder } from '../platform/folder.js';

const { R_OK, W_OK, X_OK } = constants;
/** The kernel's link to the present path of the working directory. */
const CWD = '/proc/self/cwd';
const DELETED = ' (deleted)';
const DATABASE_FILES = ['', '-wal', '-shm'] as const;

/**
 * Makes the data folder, mode 0700, when it does not exist, and finds out whether this user can work in it.
 * @param dataDir absolute
 * @returns its folder `run`, for files that belong to one run
 * @throws Failure data_dir_unusable
 */
export function prepareDataDir(dataDir: string): string {
  const runDir = join(dataDir, 'run');
  try {
    makeFolder(runDir);
    for (const folder of [dataDir, runDir]) accessSync(folder, R_OK | W_OK | X_OK);
    demandOwnFiles(runDir);
    // It records which release runs. If it could not be read, the next start would run a refused release.
    if (existsSync(join(runDir, 'releases'))) demandOwnFiles(join(runDir, 'releases'));
    return runDir;
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

/**
 * Checks whether this user can work on the databases. Other files beside them, such as a copy that root has made, are
 * ignored.
 * @param databases names without `.db`
 * @throws Failure data_dir_unusable, also when something with a database's name is not a file; config_invalid for a
 *   database that is a symbolic link
 */
export function demandDatabases(dataDir: string, databases: readonly string[]): void {
  for (const database of databases) {
    for (const ending of DATABASE_FILES) {
      const path = join(dataDir, `${database}.db${ending}`);
      try {
        if (!lstatSync(path, { throwIfNoEntry: false })) continue;
        demandFile(path);
        accessSync(path, R_OK | W_OK);
      } catch (error) {
        throw error instanceof Failure ? error : unusable(dataDir, error);
      }
    }
  }
}

/** Another user, such as root, may have started a system here once. @throws the error of the file system */
function demandOwnFiles(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isFile()) accessSync(join(folder, entry.name), R_OK | W_OK);
}

/**
 * Demands a regular file. Reading a named pipe would wait for ever. For a symbolic link SQLite keeps the WAL beside the
 * target, while Litestream looks for it beside the link, and would ship nothing. A folder may be a link, since only its
 * real path is used.
 * @throws Failure data_dir_unusable; config_invalid for a link
 */
export function demandFile(path: string): void {
  const stat = lstatSync(path);
  if (stat.isFile()) return;
  if (!stat.isSymbolicLink()) {
    throw new Failure(
      'data_dir_unusable',
      `${path} is ${stat.isDirectory() ? 'a folder' : 'no file'}, and should be a file of a database: move it away, or set DATA_DIR to another folder`,
    );
  }
  throw new Failure(
    'config_invalid',
    `${path} is a symbolic link, beside which Litestream finds no WAL: nothing would be replicated. Stop what writes to it, move the file that it leads to here in its place, with its -wal and -shm; or set DATA_DIR to the folder where they are`,
  );
}

/**
 * For commands that only read: checks that the data folder can be read. A missing folder is no error.
 * @throws Failure data_dir_unusable
 */
export function demandReadableDataDir(dataDir: string): void {
  try {
    if (!lstatSync(dataDir, { throwIfNoEntry: false })) return;
    for (const name of readdirSync(dataDir)) if (name === 'run') readdirSync(join(dataDir, name));
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

/** @returns an error of the file system or of SQLite as a Failure that says what to do */
export function unusable(dataDir: string, error: unknown): Failure {
  const advice = adviceFor(dataDir, error as NodeJS.ErrnoException);
  return new Failure('data_dir_unusable', `The data folder ${dataDir} ${advice}`, { cause: error });
}

function adviceFor(dataDir: string, { code, path, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_READONLY':
      return (
        `is closed to this user (id ${process.getuid?.()})${path === undefined ? '' : `, see ${path}`}: ` +
        'run as its owner, or chown -R it to this user'
      );
    case 'EROFS':
      return 'is on a read-only file system: mount it writable, or set DATA_DIR to another folder';
    case 'EEXIST':
    case 'ENOTDIR':
      return path !== undefined && statSync(dataDir, { throwIfNoEntry: false })?.isDirectory()
        ? `needs a folder at ${path}, where something else is: move that away`
        : 'is no folder: set DATA_DIR to one';
    case 'ENOENT':
      return 'cannot be made, or is a link to nothing: set DATA_DIR to another folder';
    default:
      return `cannot be used: ${message}`;
  }
}

/** @returns whether a folder is the working directory; a process keeps that even when it is moved or removed */
export function isWorkingDirectory(dataDir: string): boolean {
  const here = statSync('.');
  const there = statSync(dataDir, { throwIfNoEntry: false });
  return there !== undefined && there.ino === here.ino && there.dev === here.dev;
}

/**
 * Checks that the data folder is in its place. With it, the lock and the running code would be gone, too.
 * @param dataDir the path of the data folder, in which this process was started
 * @returns why the system cannot go on; undefined when the folder is in its place
 */
export function goneFolder(dataDir: string): Failure | undefined {
  try {
    if (isWorkingDirectory(dataDir)) return undefined;
  } catch {
    // The folder cannot be read by this user for now, but it is not gone: the system goes on.
    return undefined;
  }
  const place = existsSync(CWD) ? readlinkSync(CWD) : '';
  const isMoved = place.startsWith('/') && !place.endsWith(DELETED);
  return new Failure(
    'data_dir_unusable',
    isMoved
      ? `${dataDir} was moved to ${place} while it was in use. All that was written is there: put aside what stands at ${dataDir} by now, if anything, move it back, and start again`
      : `${dataDir} was removed while it was in use. The databases were put back as far as they were open: look what is there, and start again`,
  );
}

import { Failure } from '../platform/errors.ts';
import { isDiskFull } from '../platform/free-disk.ts';

/** SQLite's codes when disk, memory or another process is the cause; extended codes begin with the primary ones. */
const OF_SQLITE = /^SQLITE_(?:IOERR|NOMEM|CANTOPEN|READONLY|PERM|BUSY|PROTOCOL)/;
/** The same for codes of the system. ENOENT is not among them: the missing file may be one of the release. */
const OF_THE_SYSTEM: ReadonlySet<unknown> = new Set([
  ...['EIO', 'EROFS', 'EACCES', 'EPERM', 'EFBIG', 'EBUSY', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'],
]);

/** @returns whether the machine is the cause of an error, and not the code that ran */
export function isOfMachine(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return isDiskFull(error) || OF_SQLITE.test(String(error.code)) || OF_THE_SYSTEM.has(error.code);
}

/**
 * @param what the action that failed and was undone, for people
 * @returns storage_full or not_ready, which may pass when it is tried again; undefined when the code is the cause
 */
export function machineFailure(what: string, error: unknown): Failure | undefined {
  if (error instanceof Failure || !isOfMachine(error)) return undefined;
  const { code, message } = error;
  const told = `${what} failed, and everything was undone: ${message}`;
  if (isDiskFull(error)) {
    const advice =
      'Free some disk, there or where SQLite sorts (SQLITE_TMPDIR, TMPDIR, /var/tmp), and try again';
    return new Failure('storage_full', `${told}. ${advice}`, { cause: error });
  }
  const advice =
    'Look at the disk, its mount and its owner, and at the limits of this process (ulimit -a: a file may be no larger than RLIMIT_FSIZE), and try again';
  return new Failure('not_ready', `${told} (${code}), which is no fault of the code. ${advice}`, {
    cause: error,
  });
}

import { readFileSync, readlinkSync, statSync } from 'node:fs';

/** The lock bytes in a database's `-shm`, https://sqlite.org/walformat.html#wal_locks */
const WRITE_LOCK_AT = 120;
const READ_LOCK_AT = 123;
const READ_LOCKS = 5;
/** `1: POSIX  ADVISORY  READ 22122 fe:00:11038136 124 125`: the process, device and inode, and the bytes. */
const LOCK = /^\d+: POSIX\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s+(\d+)\s+(\d+)$/;

/** A process that holds a read lock, and the number of its read mark. */
export interface ReadLock {
  readonly mark: number;
  readonly pid: number;
}

export interface WalLocks {
  readonly readers: readonly ReadLock[];
  /** The process that holds the one write lock; undefined when none does. */
  readonly writerPid: number | undefined;
}

const NONE: WalLocks = { readers: [], writerPid: undefined };

/**
 * Reads /proc/locks, so it takes no lock itself, and finds the locks of every program.
 * @returns the locks on a database; none on systems other than Linux
 */
export function walLocks(databasePath: string): WalLocks {
  const inode = statSync(`${databasePath}-shm`, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return NONE;
  const readers: ReadLock[] = [];
  let writerPid: number | undefined;
  for (const line of readIfThere('/proc/locks').split('\n')) {
    const [, kind, pid, ofInode, from, to] = LOCK.exec(line) ?? [];
    if (Number(ofInode) !== inode) continue;
    const holds = (byte: number) => Number(from) <= byte && byte <= Number(to);
    if (kind === 'WRITE' && holds(WRITE_LOCK_AT)) writerPid = Number(pid);
    for (let mark = 0; mark < READ_LOCKS; mark += 1) {
      if (kind === 'READ' && holds(READ_LOCK_AT + mark)) readers.push({ mark, pid: Number(pid) });
    }
  }
  return { readers, writerPid };
}

/**
 * Litestream holds a read lock from one checkpoint to the next, so that no other program can checkpoint.
 * @returns whether a process is the Litestream beside this writer: it has the same parent, and is not Node.js
 */
export function isLitestream(pid: number): boolean {
  const parentPid = Number(/\) \S (\d+) /.exec(readIfThere(`/proc/${pid}/stat`))?.[1]);
  if (parentPid !== process.ppid) return false;
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== readlinkSync('/proc/self/exe');
  } catch {
    return false;
  }
}

/** @returns the name of a process for people, such as `sqlite3 (process 4711)` */
export function describeProcess(pid: number): string {
  const name = readIfThere(`/proc/${pid}/comm`).trim();
  return name === '' ? `process ${pid}` : `${name} (process ${pid})`;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

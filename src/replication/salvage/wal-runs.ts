import { statSync } from 'node:fs';
import { shadowsOf } from '../history/sidecar.ts';
import { framesOf, isNextSalt, walHeaderOf } from '../wal.ts';

/** A WAL, or Litestream's copy of one. */
interface WalFile {
  readonly path: string;
  readonly pageBytes: number;
  readonly salt: string;
  /** Where its last sound commit ends. */
  readonly soundBytes: number;
  /** Whether the file has nothing but sound commits. */
  readonly isWhole: boolean;
}

/** WALs of one database that follow one another without a gap; a run is never empty. */
export type WalRun = readonly WalFile[];

/**
 * @param databasePath the database file, which may be missing or damaged
 * @returns its WALs beside it, with Litestream's copies of earlier ones, oldest first
 */
export function walRunsOf(databasePath: string): readonly WalRun[] {
  const runs: WalFile[][] = [];
  let previousIndex = Number.NaN;
  for (const { index, path } of shadowsOf(databasePath)) {
    const wal = openWal(path);
    if (!wal) continue;
    const run = runs.at(-1);
    const before = run?.at(-1);
    const isNext = before !== undefined && index === previousIndex + 1 && isNextOf(before, wal);
    if (run && isNext) run.push(wal);
    else runs.push([wal]);
    previousIndex = index;
  }
  const own = openWal(`${databasePath}-wal`);
  if (own) append(runs, own);
  return runs;
}

/** Adds the database's own WAL. It replaces Litestream's copy of it, unless it is shorter, as when it was damaged. */
function append(runs: WalFile[][], own: WalFile): void {
  const run = runs.at(-1);
  const last = run?.at(-1);
  if (run && last && last.salt === own.salt) {
    if (own.soundBytes > last.soundBytes) run[run.length - 1] = own;
  } else if (run && last && isNextOf(last, own)) run.push(own);
  else runs.push([own]);
}

/** @returns a WAL file; undefined when the file is no WAL that holds a commit */
function openWal(path: string): WalFile | undefined {
  const header = walHeaderOf(path);
  if (!header) return undefined;
  let soundBytes = 0;
  for (const { isCommit, endBytes } of framesOf(path)) if (isCommit) soundBytes = endBytes;
  if (soundBytes === 0) return undefined;
  return { path, ...header, soundBytes, isWhole: soundBytes === statSync(path).size };
}

function isNextOf(wal: WalFile, next: WalFile): boolean {
  return wal.isWhole && wal.pageBytes === next.pageBytes && isNextSalt(wal.salt, next.salt);
}

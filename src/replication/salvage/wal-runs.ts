import { statSync } from 'node:fs';
import { shadowsOf } from '../history/sidecar.ts';
import { framesOf, isNextSalt, walHeaderOf } from '../wal.ts';

/** A WAL, or Litestream's copy of one. */
interface WalFile {
  readonly path: string;
  readonly pageBytes: number;
  readonly salt: string;
  /** Up to where its commits are sound. */
  readonly soundBytes: number;
  /** Nothing but sound commits is in it. */
  readonly isWhole: boolean;
}

/** WALs of one database that follow one another without a gap; none is empty. */
export type WalRun = readonly WalFile[];

/**
 * @param databasePath the database file; it need not be there, nor whole
 * @returns what is beside it of its WALs, Litestream's copies of earlier ones included, in their order
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

/** The database's own WAL has what the last copy of it has, and more; or less, when it was damaged. */
function append(runs: WalFile[][], own: WalFile): void {
  const run = runs.at(-1);
  const last = run?.at(-1);
  if (run && last && last.salt === own.salt) {
    if (own.soundBytes > last.soundBytes) run[run.length - 1] = own;
  } else if (run && last && isNextOf(last, own)) run.push(own);
  else runs.push([own]);
}

/** @returns what a file is; undefined when it is no WAL that holds a commit */
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

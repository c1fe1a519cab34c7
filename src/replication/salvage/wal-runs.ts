import { shadowsOf } from '../history/sidecar.ts';
import { isNextOf, isSameWal, openWal, type WalFile } from './wal-file.ts';

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
    const isNext = before?.isWhole === true && index === previousIndex + 1 && isNextOf(before, wal);
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
  if (run && last && isSameWal(last, own)) {
    if (own.soundBytes > last.soundBytes) run[run.length - 1] = own;
  } else if (run && last?.isWhole && isNextOf(last, own)) run.push(own);
  else runs.push([own]);
}

import type { RestoreProgress } from '../replication/restore-run.ts';
import type { Screen } from './progress.ts';
import { showBytes, showDuration } from './sizes.ts';

/** Without a terminal, a line now and then is enough. */
const PLAIN_INTERVAL_MS = 5000;
/** Below this share, an estimate of the time that is left would only jump about. */
const SHARE_MIN = 0.02;

/**
 * Shows the progress of one database's restore: at a terminal in one line that changes, elsewhere in plain lines.
 * States: silent → shown (`update`) → silent (`end`).
 */
export class RestoreProgressView {
  readonly #database: string;
  readonly #screen: Screen;
  /** Compressed bytes that the restore has to read, as far as known. */
  readonly #totalBytes: () => number | undefined;
  #lastPlainMs = 0;
  #isShown = false;

  constructor(database: string, totalBytes: () => number | undefined, screen: Screen = process.stderr) {
    this.#database = database;
    this.#totalBytes = totalBytes;
    this.#screen = screen;
  }

  update(progress: RestoreProgress): void {
    const text = describe(this.#database, progress, this.#totalBytes());
    if (this.#screen.isTTY) {
      this.#screen.write(`\r\u001b[K${text}`);
      this.#isShown = true;
      return;
    }
    if (progress.elapsedMs - this.#lastPlainMs < PLAIN_INTERVAL_MS) return;
    this.#lastPlainMs = progress.elapsedMs;
    this.#screen.write(`${text}\n`);
  }

  /** Clears the line for the next output. */
  end(): void {
    if (this.#isShown) this.#screen.write('\r\u001b[K');
    this.#isShown = false;
  }
}

/**
 * @param totalBytes what the restore has to read of the replica; undefined when that is not known
 * @returns one line
 */
export function describe(
  database: string,
  progress: RestoreProgress,
  totalBytes: number | undefined,
): string {
  const { sizeBytes, elapsedMs, wals } = progress;
  const rate = elapsedMs > 0 ? `${showBytes((sizeBytes * 1000) / elapsedMs)}/s` : '';
  const parts = [`restoring ${database}: ${showBytes(sizeBytes)}`, rate, showDuration(elapsedMs)];
  if (wals) parts.push(`WAL ${wals.applied} of ${wals.total}`);
  const share = shareDone(progress, totalBytes);
  if (share !== undefined && share >= SHARE_MIN) {
    parts.push(`about ${showDuration((elapsedMs * (1 - share)) / share)} left`);
  }
  return parts.filter((part) => part !== '').join(', ');
}

/** The snapshot is read first, then WALs while others are applied: the measure that is further along says less. */
function shareDone({ readBytes, wals }: RestoreProgress, totalBytes: number | undefined): number | undefined {
  const byWal = wals && wals.total > 1 ? wals.applied / wals.total : undefined;
  const byBytes =
    readBytes !== undefined && totalBytes !== undefined && totalBytes > 0
      ? Math.min(1, readBytes / totalBytes)
      : undefined;
  if (byWal !== undefined && byBytes !== undefined) return Math.min(byWal, byBytes);
  return byWal ?? byBytes;
}

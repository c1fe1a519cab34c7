import type { RestoreProgress } from '../replication/restore-run.ts';
import { showBytes, showDuration } from './sizes.ts';

/** Where nobody looks on, a line now and then is enough. */
const PLAIN_INTERVAL_MS = 5000;
/** Before this much is known, a guess of what is left would only jump about. */
const SHARE_MIN = 0.02;

/** Where progress is shown: standard error, so that the result alone is the output. */
type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

/**
 * Shows how far the restore of one database is: on a terminal in one line that changes, elsewhere in plain lines.
 * States: silent → shown (`update`) → silent (`end`).
 */
export class RestoreProgressView {
  readonly #database: string;
  readonly #screen: Screen;
  /** Compressed bytes that it has to read, as far as that is known. */
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

  /** Clears the line for what comes next. */
  end(): void {
    if (this.#isShown) this.#screen.write('\r\u001b[K');
    this.#isShown = false;
  }
}

/**
 * @param totalBytes what it has to read of the replica; undefined when that is not known
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

/** First the snapshot is read, then WALs while others are applied: what is further along says less. */
function shareDone({ readBytes, wals }: RestoreProgress, totalBytes: number | undefined): number | undefined {
  const byWal = wals && wals.total > 1 ? wals.applied / wals.total : undefined;
  const byBytes =
    readBytes !== undefined && totalBytes !== undefined && totalBytes > 0
      ? Math.min(1, readBytes / totalBytes)
      : undefined;
  if (byWal !== undefined && byBytes !== undefined) return Math.min(byWal, byBytes);
  return byWal ?? byBytes;
}

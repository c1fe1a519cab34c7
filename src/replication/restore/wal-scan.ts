import { WalReader } from '../wal.ts';
import { type CommitRow, commitRowIn } from './commit-row.ts';

/** The versions in a WAL of a page that may hold the writer's last commit, each as a whole commit left it. */
export interface RowTrack {
  readonly first: CommitRow;
  readonly last: CommitRow;
  /** How often the row changed. */
  readonly changes: number;
  /** The first commit that is later than `untilMs`; undefined where there is none. */
  readonly later: LaterCommit | undefined;
}

export interface LaterCommit {
  readonly row: CommitRow;
  /** Where the commit before it ends; 0 for the first. */
  readonly fromBytes: number;
}

/** Reads one WAL from its start: where its last whole commit ends, and what its pages say of the writer's commits. */
export class WalScan {
  readonly #untilMs: number;
  readonly #reader = new WalReader();
  readonly #rows = new Map<number, RowTrack>();
  readonly #pending = new Map<number, CommitRow>();
  #soundBytes = 0;

  /** @param untilMs the first commit after this time is noted; milliseconds since the epoch */
  constructor(untilMs = Number.POSITIVE_INFINITY) {
    this.#untilMs = untilMs;
  }

  /** The offset at which the next bytes have to begin. */
  get nextBytes(): number {
    return this.#reader.nextBytes;
  }

  /** Where the last whole commit ends; 0 before the first. */
  get soundBytes(): number {
    return this.#soundBytes;
  }

  /** By page, for each page that may be that of `writer_commit`. */
  get rows(): ReadonlyMap<number, RowTrack> {
    return this.#rows;
  }

  /**
   * @param bytes the next bytes of the WAL
   * @throws Error that says why they cannot follow the bytes before
   */
  push(bytes: Uint8Array): void {
    for (const { page, isCommit, image, endBytes } of this.#reader.frames(bytes)) {
      const row = commitRowIn(image);
      if (row) this.#pending.set(page, row);
      else this.#pending.delete(page);
      if (!isCommit) continue;
      for (const [each, one] of this.#pending) this.#note(each, one);
      this.#pending.clear();
      this.#soundBytes = endBytes;
    }
  }

  #note(page: number, row: CommitRow): void {
    const known = this.#rows.get(page);
    const isLater = row.atMs > this.#untilMs;
    this.#rows.set(page, {
      first: known?.first ?? row,
      last: row,
      changes: (known?.changes ?? 0) + 1,
      later: known?.later ?? (isLater ? { row, fromBytes: this.#soundBytes } : undefined),
    });
  }
}

import { statSync } from 'node:fs';
import type { Logger } from '../../log.ts';
import type { CommitMark, LagReport } from '../../runtime/messages.ts';
import type { Confirmation } from '../confirmation.ts';
import { databasePath } from '../litestream-config.ts';
import {
  type DatabaseMark,
  emptyMark,
  type HistoryMark,
  machineId,
  newMark,
  readMark,
  type ToldPosition,
  writeMark,
} from './mark.ts';

/** How much later than what it tells a mark may be written. */
const WRITE_DELAY_MS = 1000;
/** Older ones have been removed from the replica long ago. */
const GENERATIONS_MAX = 1000;

export interface HistoryKeeperOptions {
  readonly dataDir: string;
  readonly replicaUrl: string;
  readonly log: Logger;
}

/**
 * Keeps the mark of a running system: what the writer and Litestream tell. States and who moves them: closed, in which
 * the file belongs to whoever prepares the databases → open (`open`) → closed (`close`). While open it is clean, or has
 * moved, and is written when the delay has passed.
 */
export class HistoryKeeper {
  readonly #options: HistoryKeeperOptions;
  #isOpen = false;
  #mark: HistoryMark;
  #written = '';
  #timer: NodeJS.Timeout | undefined;
  #isWritable = true;

  constructor(options: HistoryKeeperOptions) {
    this.#options = options;
    this.#mark = newMark(options.replicaUrl);
  }

  /** Takes over what is remembered, for this replica and this machine from now on. */
  open(): void {
    const { dataDir, replicaUrl } = this.#options;
    const known = readMark(dataDir);
    this.#mark = { ...(known ?? newMark(replicaUrl)), machineId: machineId(), replicaUrl };
    this.#written = JSON.stringify(known);
    this.#isOpen = true;
  }

  /** Takes note of what the writer has committed, and of what the replica has of it. */
  told(reports: Readonly<Record<string, LagReport>>): void {
    for (const [database, { lastCommit, confirmed }] of Object.entries(reports)) {
      const known = this.#of(database);
      const local = positionOf(lastCommit) ?? known.local;
      const replicated = positionOf(confirmed) ?? known.replicated;
      this.#move(database, { ...known, local, replicated });
    }
  }

  /** Takes note of what Litestream has uploaded. */
  confirmed({ database, generation, segment }: Confirmation): void {
    const known = this.#of(database);
    const generations = known.generations.includes(generation)
      ? known.generations
      : [...known.generations, generation].slice(-GENERATIONS_MAX);
    this.#move(database, { ...known, segment: segment ?? known.segment, generations });
  }

  /** Writes it to disk; from now on it does not move. */
  close(): void {
    if (!this.#isOpen) return;
    this.#write(true);
    this.#isOpen = false;
  }

  #of(database: string): DatabaseMark {
    return this.#mark.databases[database] ?? emptyMark();
  }

  #move(database: string, mark: DatabaseMark): void {
    if (!this.#isOpen) return;
    this.#mark = { ...this.#mark, databases: { ...this.#mark.databases, [database]: mark } };
    this.#timer ??= setTimeout(() => this.#write(false), WRITE_DELAY_MS).unref();
  }

  #write(isToSync: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { dataDir, log } = this.#options;
    const databases = Object.entries(this.#mark.databases).map(([database, mark]) => {
      const inode = statSync(databasePath(dataDir, database), { throwIfNoEntry: false })?.ino;
      return [database, { ...mark, inode }] as const;
    });
    const mark = { ...this.#mark, databases: Object.fromEntries(databases) };
    const text = JSON.stringify(mark);
    if (text === this.#written && !isToSync) return;
    try {
      writeMark(dataDir, mark, isToSync);
      this.#written = text;
      this.#isWritable = true;
    } catch (err) {
      if (this.#isWritable) log.warn({ err }, 'what was told of the databases could not be kept on disk');
      this.#isWritable = false;
    }
  }
}

/** @returns undefined before the first commit, and from a writer of a release that tells no session */
function positionOf(commit: CommitMark | undefined): ToldPosition | undefined {
  if (commit?.session === undefined || commit.ordinal === 0) return undefined;
  const { session, ordinal, atMs } = commit;
  return { session, ordinal, atMs };
}

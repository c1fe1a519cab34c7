import { join } from 'node:path';
import type { ToldCommit } from '../messages/messages.ts';
import type { Check } from './check-here.ts';
import type { HistoryMark } from './history/mark.ts';
import type { MarkChange } from './history/replacement.ts';
import type { SystemReplica } from './replica-context.ts';

export interface PrepareOptions extends SystemReplica {
  /** By database, the last commit that the writer reported; undefined when no writer has run. */
  readonly lastCommits?: Readonly<Record<string, ToldCommit>> | undefined;
  /** The system serves already; its databases are only compared with the replica. */
  readonly isServing?: boolean | undefined;
  /** Each database was found sound a moment ago, so that its check is skipped. */
  readonly isChecked?: boolean | undefined;
}

/** The result for one database. `new`: there is none yet, the writer makes it. */
export interface Prepared {
  readonly database: string;
  readonly outcome: 'present' | 'restored' | 'new';
  readonly durationMs: number;
  /** Where the replaced files went. */
  readonly movedTo?: string | undefined;
  /** For a restored database: its last commit, and which newer ones are lost; for people. */
  readonly loss?: string | undefined;
  /** What a person should know of the database and its replica; undefined where there is nothing. */
  readonly notice?: string | undefined;
}

/** The options for one database, with how closely it and copies of it are checked. */
export interface Looking extends PrepareOptions {
  readonly check: Check;
  /** The mark when the preparation began. */
  readonly mark: HistoryMark | undefined;
}

/** What was done with one database, and what the mark has to remember of that. */
export interface Made extends Pick<Prepared, 'outcome' | 'movedTo' | 'loss' | 'notice'> {
  readonly change: MarkChange;
}

/** @returns the folder for restores, emptied at each start */
export function scratchDirOf({ config }: PrepareOptions): string {
  return join(config.DATA_DIR, 'restore');
}

/** @returns the path that a database is restored to before it is put in its place */
export function fetchedPath(database: string, dataDir: string): string {
  return join(dataDir, 'restore', `${database}.db`);
}

import { join } from 'node:path';
import type { ToldCommit } from '../messages/messages.ts';
import type { Check } from './check-here.ts';
import type { HistoryMark } from './history/mark.ts';
import type { MarkChange } from './history/replacement.ts';
import type { SystemReplica } from './replica-context.ts';

export interface PrepareOptions extends SystemReplica {
  /** The last commit that a writer has told of, by database; none when none has run. */
  readonly lastCommits?: Readonly<Record<string, ToldCommit>> | undefined;
  /** The system serves, and only waits for its databases to be compared with the replica. */
  readonly isServing?: boolean | undefined;
  /** Each database was found whole a moment ago: none is read to its end again. */
  readonly isChecked?: boolean | undefined;
}

/** How a database got ready to be opened. `new`: there is none yet, the writer makes it. */
export interface Prepared {
  readonly database: string;
  readonly outcome: 'present' | 'restored' | 'new';
  readonly durationMs: number;
  /** Where the files went that were in the way. */
  readonly movedTo?: string | undefined;
  /** Of a restored one: up to which commit, and which newer ones are lost; for people. */
  readonly loss?: string | undefined;
  /** What a person should know of it and its replica; undefined where all is plain. */
  readonly notice?: string | undefined;
}

/** What preparing one database takes: also how closely it, and copies of it, are looked at. */
export interface Looking extends PrepareOptions {
  readonly check: Check;
  /** What was remembered when it began. */
  readonly mark: HistoryMark | undefined;
}

/** What has become of one database, and what the next start has to know of it. */
export interface Made extends Pick<Prepared, 'outcome' | 'movedTo' | 'loss' | 'notice'> {
  readonly change: MarkChange;
}

/** @returns the folder for what is restored, emptied at each start */
export function scratchDirOf({ config }: PrepareOptions): string {
  return join(config.DATA_DIR, 'restore');
}

/** @returns where a database is restored to before it is put in its place */
export function fetchedPath(database: string, dataDir: string): string {
  return join(dataDir, 'restore', `${database}.db`);
}

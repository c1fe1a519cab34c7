import type { Config } from '../config/config.ts';
import type { Confirmation } from '../messages/confirmation.ts';
import type { LitestreamLine } from './log-line.ts';

/** How one running Litestream tells how far the replica is. */
export interface Confirmer {
  /** It has taken up its databases. */
  start(): void;
  /** It has logged something. */
  onLine(line: LitestreamLine): void;
  /** It is gone. */
  stop(): void;
}

export interface ConfirmerOptions {
  readonly config: Config;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly onConfirmed: (confirmation: Confirmation) => void;
  /** It begins to upload the whole of a database, and says nothing more of it until it has. */
  readonly onSnapshot: (database: string, sizeBytes: number) => void;
  /** It has uploaded the whole of a database. */
  readonly onSnapshotEnd: (database: string) => void;
  /** It could not upload; why, in words, and of which database, where it says so. */
  readonly onFailed: (reason: string, database?: string) => void;
}

import type { Config } from '../config/config.ts';
import type { Confirmation } from '../messages/confirmation.ts';
import type { LitestreamLine } from './log-line.ts';

/** Finds out from one running Litestream how far the replica is. */
export interface Confirmer {
  /** Litestream has initialized its databases. */
  start(): void;
  /** Litestream has logged a line. */
  onLine(line: LitestreamLine): void;
  /** Litestream has ended. */
  stop(): void;
}

export interface ConfirmerOptions {
  readonly config: Config;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly onConfirmed: (confirmation: Confirmation) => void;
  /** The upload of a snapshot begins. Until its end Litestream reports no progress on it. */
  readonly onSnapshot: (database: string, sizeBytes: number) => void;
  /** A snapshot was uploaded. */
  readonly onSnapshotEnd: (database: string) => void;
  /** Litestream could not upload: why, for people, and of which database, if it says so. */
  readonly onFailed: (reason: string, database?: string) => void;
}

import type { PastKind } from '../../messages/drill-result.ts';
import type { SystemReplica } from '../replica-context.ts';

export interface DrillOptions extends SystemReplica {
  /**
   * Asks the writer to wait until the replica holds what a database has now, and whether it does; undefined when nothing
   * runs, so that the replica must hold everything.
   */
  readonly whenReplicated: ((database: string, timeoutMs: number) => Promise<boolean>) | undefined;
  /** How long what is committed may take to the replica. */
  readonly confirmTimeoutMs: number;
  /** What of the past is proven, after the newest state; undefined for nothing. */
  readonly past?: PastKind | undefined;
  readonly snapshotAgeMaxMs?: number | undefined;
  /** Called between restore and comparison, for tests. */
  readonly tamper?: ((database: string, restoredPath: string) => void | Promise<void>) | undefined;
}

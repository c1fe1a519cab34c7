import type { PastKind } from '../../messages/drill-result.ts';
import type { SystemReplica } from '../replica-context.ts';

export interface DrillOptions extends SystemReplica {
  /**
   * Waits until the replica holds all that a database has now; resolves to whether it does. Undefined when no system
   * runs, so that the replica must hold everything.
   */
  readonly whenReplicated: ((database: string, timeoutMs: number) => Promise<boolean>) | undefined;
  /** How long a commit may take to get into the replica. */
  readonly confirmTimeoutMs: number;
  /** Which past state to prove after the newest one; undefined for none. */
  readonly past?: PastKind | undefined;
  readonly snapshotAgeMaxMs?: number | undefined;
  /** Called between restore and comparison, for tests. */
  readonly tamper?: ((database: string, restoredPath: string) => void | Promise<void>) | undefined;
}

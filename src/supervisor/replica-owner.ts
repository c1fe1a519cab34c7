import type { LagReport, Trouble } from '../messages/messages.ts';
import type { LeasePositions, Schema } from '../messages/positions.ts';
import type { Failure } from '../platform/errors.ts';
import type { Slot } from './slot.ts';

/** Finds out whether this system may write to the replica. */
export interface ReplicaOwner {
  /** Its process; undefined where no ownership is needed. */
  readonly slot: Slot | undefined;
  /** Whether no other system writes to the replica. */
  readonly isHeld: boolean;
  /** Set when the replica is another system's, for good. */
  readonly failure: Failure | undefined;
  /** Why this system may not or cannot write to the replica; undefined when it can, or the replica is another's. */
  readonly trouble: string | undefined;
  /** Whether another system may hold the replica: only time tells whether that system lives. */
  readonly waitsForOther: boolean;
  /** Why nothing may be committed now; undefined when it may. */
  readonly suspendedBecause?: string | undefined;
  /** What is wrong with the system that stands by. */
  readonly peerTroubles?: readonly Trouble[] | undefined;
  /** Resolves at the first finding, or after a time. @throws Failure replica_in_use, or why its process cannot start */
  start(): Promise<void>;
  /**
   * Resolves when the system may serve: it owns the replica, or has to wait for that without writing to it.
   * @throws Failure replica_in_use, or not_ready when it is stopped meanwhile
   */
  settled(): Promise<void>;
  /** @throws Failure replica_in_use when the replica is another's */
  demand(): void;
  /**
   * Has the record read now. A store that does not answer tells nothing.
   * @throws Failure replica_in_use when the replica is another's
   */
  check(): Promise<void>;
  /**
   * Reads the record for an upload: what was uploaded before it was read counts if the replica is still this system's.
   * @returns whether it is; always true where the gate finds that out
   * @throws Error why the record cannot be read
   */
  isRecorded(): Promise<boolean>;
  /** Passes on the migrations that the databases have. */
  migrated(schema: Schema, needs: Schema | undefined): void;
  /** Passes on how far the replica is. */
  told(reports: Readonly<Record<string, LagReport>>): void;
  /**
   * Nothing is written to the replica any more: other systems need not wait.
   * @param last the very last commit of each database, where it is known
   */
  stop(cause: string, last?: LeasePositions['last']): Promise<void>;
}

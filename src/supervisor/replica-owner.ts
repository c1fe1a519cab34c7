import type { LagReport, Trouble } from '../messages/messages.ts';
import type { LeasePositions, Schema } from '../messages/positions.ts';
import type { Failure } from '../platform/errors.ts';
import type { Slot } from './slot.ts';

/** What finds out for a system whether it may add to the replica. */
export interface ReplicaOwner {
  /** Undefined where nothing has to be owned. */
  readonly slot: Slot | undefined;
  /** Nobody else adds to the replica. */
  readonly isHeld: boolean;
  /** It is another's, for good. */
  readonly failure: Failure | undefined;
  /** Why nothing may be added to the replica, or why this system cannot write to it; undefined when all is well, or it is another's. */
  readonly trouble: string | undefined;
  /** Another system may hold the replica: only time tells whether that one lives. */
  readonly waitsForOther: boolean;
  /** Why nothing may be committed now; undefined when it may. */
  readonly suspendedBecause?: string | undefined;
  /** What is out of order with the system that stands by. */
  readonly peerTroubles?: readonly Trouble[] | undefined;
  /** Resolves when something is found, or that takes long. @throws Failure replica_in_use, or why its process cannot be */
  start(): Promise<void>;
  /**
   * Resolves when the system may serve: it owns the replica, or may add nothing to it for now.
   * @throws Failure replica_in_use, or not_ready when it is stopped meanwhile
   */
  settled(): Promise<void>;
  /** @throws Failure replica_in_use when it is another's */
  demand(): void;
  /**
   * Has the record looked at now; a store that does not answer tells nothing.
   * @throws Failure replica_in_use when it is another's
   */
  check(): Promise<void>;
  /**
   * Asks the replica itself, for what was uploaded before.
   * @returns whether it is still this system's; true also where the gate finds that out
   * @throws Error why it cannot be told
   */
  isRecorded(): Promise<boolean>;
  /** Hands on what the databases have. */
  migrated(schema: Schema, needs: Schema | undefined): void;
  /** Hands on how far the replica is. */
  told(reports: Readonly<Record<string, LagReport>>): void;
  /**
   * Nothing is added to the replica any more: others need not wait.
   * @param last the very last commit of each database, where that is known
   */
  stop(cause: string, last?: LeasePositions['last']): Promise<void>;
}

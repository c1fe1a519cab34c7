import type { Trouble } from '../runtime/messages.ts';
import type { LeasePlace } from './lease-place.ts';

/** What finds out for a system whether it may add to the replica. */
export interface ReplicaOwner
  extends Pick<
    LeasePlace,
    | 'slot'
    | 'isHeld'
    | 'failure'
    | 'trouble'
    | 'waitsForOther'
    | 'start'
    | 'settled'
    | 'demand'
    | 'check'
    | 'migrated'
    | 'told'
    | 'stop'
  > {
  /** Why nothing may be committed now; undefined when it may. */
  readonly suspendedBecause?: string | undefined;
  /** What is out of order with the system that stands by. */
  readonly peerTroubles?: readonly Trouble[] | undefined;
}

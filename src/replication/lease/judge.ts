import { type Identity, isKnownGone, isSameBoot } from './identity.ts';
import { hasEpochs, type LeaseRecord } from './record.ts';

export interface Finding {
  /** Undefined where there is none. */
  readonly record: LeaseRecord | undefined;
  readonly self: Identity;
  readonly session: string;
  /** The kernel's lock on the replica is held here; none but a folder has one. */
  readonly isLocked: boolean;
}

/**
 * What a record says to who would own the replica. `own`: it is this activation's. `free`: nobody owns it. `same`: it
 * was this very system before the machine was booted anew, unless that was copied. `unknown`: another one, of which only
 * time tells. `refused`: this code cannot read what the replica holds.
 */
export type Judgement = 'own' | 'free' | 'same' | 'unknown' | 'refused';

/** Judges without any clock. Whoever asks has the lock of its own data folder. */
export function judge({ record, self, session, isLocked }: Finding): Judgement {
  if (record === undefined) return 'free';
  if (hasEpochs(record)) return 'refused';
  if (record.session === session) return 'own';
  if (record.state === 'released' || isKnownGone(record, self)) return 'free';
  if (isSameBoot(record, self) && (isLocked || record.folder === self.folder)) return 'free';
  return record.instance === self.instance ? 'same' : 'unknown';
}

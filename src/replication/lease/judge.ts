import type { LeaseNote } from '../failover/contender.ts';
import { epochFolder } from '../failover/epoch.ts';
import { type Identity, isKnownGone, isSameBoot } from './identity.ts';
import { hasEpochs, type LeaseRecord } from './record.ts';

export interface Finding {
  /** Undefined where there is none. */
  readonly record: LeaseRecord | undefined;
  readonly self: Identity;
  readonly session: string;
  /** The kernel's lock on the replica is held here; none but a folder has one. */
  readonly isLocked: boolean;
  /** The folder below the replica that this system has its databases from; empty: the replica itself. */
  readonly folder: string;
  /** What its data folder has noted as one of two systems; undefined where it was none. */
  readonly note?: LeaseNote | undefined;
}

/**
 * What a record says to who would own the replica. `own`: it is this activation's. `free`: nobody owns it. `same`: it
 * was this very system before the machine was booted anew, unless that was copied. `unknown`: another one, of which only
 * time tells. `refused`: it is of systems that stand by for each other, and was not led last by this one. `elsewhere`: the
 * replica goes on in another folder than this system's databases are from.
 */
export type Judgement = 'own' | 'free' | 'same' | 'unknown' | 'refused' | 'elsewhere';

/** Judges without any clock. Whoever asks has the lock of its own data folder. */
export function judge({ record, self, session, isLocked, folder, note }: Finding): Judgement {
  if (record === undefined) return 'free';
  if (hasEpochs(record)) return isLastLeader(record, note) && record.data === folder ? 'free' : 'refused';
  if (record.data !== folder) return 'elsewhere';
  if (record.session === session) return 'own';
  if (record.state === 'released' || isKnownGone(record, self)) return 'free';
  if (isSameBoot(record, self) && (isLocked || record.folder === self.folder)) return 'free';
  return record.instance === self.instance ? 'same' : 'unknown';
}

/**
 * @param note of the data folder here
 * @returns whether nobody has written the record since, and all that is here is in the folder that counts
 */
export function isLastLeader({ session, n, data }: LeaseRecord, note: LeaseNote | undefined): boolean {
  if (note?.isWhole !== true || session !== note.session || n > note.n) return false;
  return data === epochFolder(note.epoch);
}

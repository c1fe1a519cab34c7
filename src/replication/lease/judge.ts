import type { LeaseNote } from '../failover/contender.ts';
import { epochFolder } from '../failover/epoch.ts';
import { type Identity, isKnownGone, isSameBoot } from './identity.ts';
import { hasEpochs, type LeaseRecord } from './record.ts';

export interface Finding {
  /** Undefined where there is none. */
  readonly record: LeaseRecord | undefined;
  readonly self: Identity;
  readonly session: string;
  /** Whether the kernel's lock on the replica is held here; only a replica in a folder has one. */
  readonly isLocked: boolean;
  /** The folder below the replica that this system's databases continue; empty: the replica itself. */
  readonly folder: string;
  /** The note in its data folder, from when it was one of two systems; undefined where it never was. */
  readonly note?: LeaseNote | undefined;
}

/**
 * What a record means for a system that wants to own the replica. `own`: the record is this activation's. `free`:
 * nobody owns the replica. `same`: the owner was this system before a reboot, or a copy of it. `unknown`: another
 * system; only time tells whether it lives. `refused`: the record is of systems that stand by for each other, and this
 * one did not lead last. `elsewhere`: the replica is continued in another folder than the one that this system's
 * databases are from.
 */
export type Judgement = 'own' | 'free' | 'same' | 'unknown' | 'refused' | 'elsewhere';

/** Judges a record without any clock. The caller has the lock of its own data folder. */
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
 * @returns whether this data folder was the last to write the record, and its epoch's folder is the one that counts
 */
export function isLastLeader({ session, n, data }: LeaseRecord, note: LeaseNote | undefined): boolean {
  if (note?.isWhole !== true || session !== note.session || n > note.n) return false;
  return data === epochFolder(note.epoch);
}

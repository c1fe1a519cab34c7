import type { LeasePositions } from '../../messages/positions.ts';
import type { Identity } from './identity.ts';

/** The epoch of a system without a standby. */
const ONLY_EPOCH = 1;

/**
 * The record of a replica's owner, `PREFIX/lease.json`: the one object that decides. Only the owner, or a system that
 * takes the replica, writes it. It is never deleted.
 */
export interface LeaseRecord extends Identity, LeasePositions {
  /** Rises with each change of leader among systems that stand by for each other. */
  readonly epoch: number;
  /** Random, of one activation of a system. */
  readonly session: string;
  /** The folder of the epoch that holds the data, below the replica; empty: the replica itself does. */
  readonly data: string;
  /** Rises with each renewal. */
  readonly n: number;
  /** `released`: the owner was stopped, and adds nothing more. */
  readonly state: 'held' | 'released';
  /** Earlier values of `data`, oldest first; undefined where there were none. */
  readonly past?: readonly string[] | undefined;
  /** The owner's databases are being replaced (restore --in-place): nobody challenges until it is started again. */
  readonly isRestoring?: true | undefined;
  /** The owner was one of two systems, and now leads alone, in the folder that `data` names. */
  readonly isAlone?: true | undefined;
  /** How long a challenger waits for another `n`; undefined where the owner has no standby. */
  readonly ttlMs?: number | undefined;
}

/** @returns the record in a text; undefined when the text is no record */
export function parseRecord(text: string): LeaseRecord | undefined {
  const value = parse(text);
  return isRecord(value) ? value : undefined;
}

/** @returns whether no release wrote a text: it is no JSON, such as a proxy's page or the beginning of a record */
export function isNobodys(text: string): boolean {
  return parse(text) === undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns the first record of an activation */
export function newRecord(identity: Identity, session: string): LeaseRecord {
  const { name, instance, bootId, folder, pidNamespace, pid, startTime } = identity;
  return {
    epoch: ONLY_EPOCH,
    session,
    data: '',
    n: 0,
    state: 'held',
    name,
    instance,
    bootId,
    folder,
    pidNamespace,
    pid,
    startTime,
    schema: {},
    confirmed: {},
  };
}

/** @returns whether a record is of systems that stand by for each other; a system alone must then leave it as it is */
export function hasEpochs({
  epoch,
  data,
  ttlMs,
  isAlone,
}: Pick<LeaseRecord, 'epoch' | 'data' | 'ttlMs' | 'isAlone'>): boolean {
  return isAlone !== true && (epoch !== ONLY_EPOCH || data !== '' || ttlMs !== undefined);
}

/** @returns the owner that a record names, for people */
export function ownerOf({ name, pid }: LeaseRecord): string {
  return `${name} (process ${pid})`;
}

function isRecord(value: unknown): value is LeaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, session, data, past, n, state, name, instance, folder, pid } = value as Partial<LeaseRecord>;
  return (
    [epoch, n, pid].every(Number.isSafeInteger) &&
    [session, data, name, instance, folder].every((text) => typeof text === 'string') &&
    (past === undefined || (Array.isArray(past) && past.every((folder) => typeof folder === 'string'))) &&
    (state === 'held' || state === 'released')
  );
}

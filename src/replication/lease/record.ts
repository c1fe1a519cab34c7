import type { LeasePositions } from '../../messages/positions.ts';
import type { Identity } from './identity.ts';

/** Of a system that has no other that takes over from it. */
const ONLY_EPOCH = 1;

/**
 * Who owns a replica: the one object in it that decides. `PREFIX/lease.json`, written only by who owns it or takes it,
 * and never deleted.
 */
export interface LeaseRecord extends Identity, LeasePositions {
  /** Rises with each change of leader among systems that stand by for each other. */
  readonly epoch: number;
  /** Random, of one activation of a system. */
  readonly session: string;
  /** The epoch whose folder in the replica holds the data; empty: the replica itself does. */
  readonly data: string;
  /** Another one at each renewal. */
  readonly n: number;
  /** `released`: the owner was stopped, and adds nothing more. */
  readonly state: 'held' | 'released';
  /** What `data` was before, the oldest first; undefined where it has never been anything else. */
  readonly past?: readonly string[] | undefined;
  /** Its databases are being replaced: nobody challenges until it is started again. */
  readonly isRestoring?: true | undefined;
  /** Its owner was one of two systems, and leads alone since, in the folder that `data` names. */
  readonly isAlone?: true | undefined;
  /** How long whoever would take it waits for another `n`; undefined where the owner has no standby. */
  readonly ttlMs?: number | undefined;
}

/** @returns the record in a file or an object; undefined for what is none */
export function parseRecord(text: string): LeaseRecord | undefined {
  const value = parse(text);
  return isRecord(value) ? value : undefined;
}

/** @returns whether no release has written it: it is a proxy's page, or the beginning of a record */
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

/** @returns whether it is of systems that stand by for each other, so that a system alone leaves it as it is */
export function hasEpochs({
  epoch,
  data,
  ttlMs,
  isAlone,
}: Pick<LeaseRecord, 'epoch' | 'data' | 'ttlMs' | 'isAlone'>): boolean {
  return isAlone !== true && (epoch !== ONLY_EPOCH || data !== '' || ttlMs !== undefined);
}

/** @returns whose record it is, for people */
export function ownerOf({ name, pid }: LeaseRecord): string {
  return `${name} (process ${pid})`;
}

function isRecord(value: unknown): value is LeaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, session, data, past, n, state, name, instance, folder, pid } = value as Partial<LeaseRecord>;
  return (
    [epoch, n, pid].every(Number.isSafeInteger) &&
    [session, name, instance, folder].every((text) => typeof text === 'string') &&
    (typeof data === 'string' || typeof data === 'number') &&
    (past === undefined || (Array.isArray(past) && past.every((folder) => typeof folder === 'string'))) &&
    (state === 'held' || state === 'released')
  );
}

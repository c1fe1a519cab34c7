import type * as testing from '../../../src/testing/record.ts';

/** The outcome of one request to the alerts. */
export interface RequestRecord extends testing.RequestRecord {
  /** The alert's key; each write has its own. */
  readonly key: string;
  /** Whether the answer to a write repeats the new field; only a worker that knows the field does that. */
  readonly isNewFieldTaken?: boolean;
}

/** The alert that a client writes under a key. Every field follows from the key, so a half-written alert is noticed. */
export function alertFor(key: string) {
  return {
    movieId: key,
    email: `${key}@example.org`,
    notification_date: '2030-01-31',
    title: `Title of ${key}`,
    category: `category ${key.length % 7}`,
    imageUrl: `https://example.org/covers/${key}.png`,
  };
}

/** The value that a client writes into a field that only a newer release knows. */
export function newFieldOf(key: string): string {
  return `new field of ${key}`;
}

/** Error codes that promise that nothing was applied. */
const DENIALS: ReadonlySet<string> = new Set([
  'writer_busy',
  'writer_mismatch',
  'write_timeout',
  'storage_full',
  'storage_reserved',
  'overloaded',
]);

/** @returns whether the answer promised that the write was not applied */
export function isDenied({ kind, code }: RequestRecord): boolean {
  return kind === 'write' && code !== undefined && DENIALS.has(code);
}

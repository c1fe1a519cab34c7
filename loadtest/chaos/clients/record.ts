/** How a request failed, as its client sees it. */
export type FailureKind =
  /** No connection: nobody listens. */
  | 'refused'
  /** The connection broke before a whole answer had come. */
  | 'reset'
  /** No answer in `HUNG_AFTER_MS`. */
  | 'hung'
  /** The server says that it cannot. */
  | '5xx'
  /** A read of what was acknowledged brought something else, or nothing. */
  | 'wrong'
  /** Anything else; `detail` says what. */
  | 'other';

export const HUNG_AFTER_MS = 10_000;

/** What became of one request. */
export interface RequestRecord {
  readonly kind: 'write' | 'read';
  /** The alert's key; each write has its own. */
  readonly key: string;
  /** Whether the connection is kept between requests, or made for this one. */
  readonly connection: 'kept' | 'new';
  /** The client's end of the connection, when there was one. */
  readonly port: number | undefined;
  /** Milliseconds since the epoch, on the clock that the system's log uses. */
  readonly startMs: number;
  readonly latencyMs: number;
  readonly status: number | undefined;
  /** The problem's code, when the answer was one. */
  readonly code: string | undefined;
  readonly failure: FailureKind | undefined;
  readonly detail: string | undefined;
  /** Whether the answer to a write repeats the new field, which only a worker that knows it does. */
  readonly isNewFieldTaken?: boolean;
}

/** The alert that a client writes under a key: every field follows from it, so that half of one is noticed. */
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

/** What a client writes into a field that only a newer release knows. */
export function newFieldOf(key: string): string {
  return `new field of ${key}`;
}

/** @returns whether the server promised by its answer that the write is on disk */
export function isAcknowledged({ kind, status }: RequestRecord): boolean {
  return kind === 'write' && (status === 200 || status === 201);
}

/** Codes of answers that promise that nothing was applied. */
const DENIALS: ReadonlySet<string> = new Set([
  'writer_busy',
  'writer_mismatch',
  'write_timeout',
  'storage_full',
  'storage_reserved',
  'overloaded',
]);

/** @returns whether the server promised by its answer that the write is not there */
export function isDenied({ kind, code }: RequestRecord): boolean {
  return kind === 'write' && code !== undefined && DENIALS.has(code);
}

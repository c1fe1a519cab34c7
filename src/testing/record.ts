/** How a request failed, as its client sees it. */
export type FailureKind =
  /** No connection: no process listens. */
  | 'refused'
  /** The connection broke before a whole answer had come. */
  | 'reset'
  /** No answer in time. */
  | 'hung'
  /** The answer has a status of 500 or above. */
  | '5xx'
  /** A read of an acknowledged write returned something else, or nothing. */
  | 'wrong'
  /** Anything else; `detail` says what. */
  | 'other';

/** A request without an answer for this long counts as hung. */
export const HUNG_AFTER_MS = 10_000;

/** The outcome of one request. */
export interface RequestRecord {
  readonly kind: 'write' | 'read';
  /** Whether the connection is kept between requests, or made for this one. */
  readonly connection: 'kept' | 'new';
  /** The client's port, when there was a connection. */
  readonly port: number | undefined;
  /** Milliseconds since the epoch, on the clock that the system's log uses. */
  readonly startMs: number;
  readonly latencyMs: number;
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** The code of the problem document, when the answer was one. */
  readonly code: string | undefined;
  readonly failure: FailureKind | undefined;
  /** The error in place of an answer, or what was wrong with the answer. */
  readonly detail: string | undefined;
}

/** @returns whether the record is a write whose answer promises that it is on disk */
export function isAcknowledged({ kind, status }: Pick<RequestRecord, 'kind' | 'status'>): boolean {
  return kind === 'write' && status !== undefined && status >= 200 && status < 300;
}

/** How a request failed, as its client sees it. */
export type FailureKind =
  /** No connection: nobody listens. */
  | 'refused'
  /** The connection broke before a whole answer had come. */
  | 'reset'
  /** No answer in time. */
  | 'hung'
  /** The server says that it cannot. */
  | '5xx'
  /** A read of what was acknowledged brought something else, or nothing. */
  | 'wrong'
  /** Anything else; `detail` says what. */
  | 'other';

/** Without an answer for so long, a request counts as hung. */
export const HUNG_AFTER_MS = 10_000;

/** What became of one request. */
export interface RequestRecord {
  readonly kind: 'write' | 'read';
  /** Whether the connection is kept between requests, or made for this one. */
  readonly connection: 'kept' | 'new';
  /** The client's end of the connection, when there was one. */
  readonly port: number | undefined;
  /** Milliseconds since the epoch, on the clock that the system's log uses. */
  readonly startMs: number;
  readonly latencyMs: number;
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** The problem's code, when the answer was one. */
  readonly code: string | undefined;
  readonly failure: FailureKind | undefined;
  /** What stood in place of an answer, or what was wrong with it. */
  readonly detail: string | undefined;
}

/** @returns whether the server promised by its answer that the write is on disk */
export function isAcknowledged({ kind, status }: Pick<RequestRecord, 'kind' | 'status'>): boolean {
  return kind === 'write' && status !== undefined && status >= 200 && status < 300;
}

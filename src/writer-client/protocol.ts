import { join } from 'node:path';
import { Failure, type FailureOptions, isCode } from '../platform/errors.ts';

/**
 * The version of the protocol between the writer and its clients. Every incompatible change raises it. No change may
 * touch the frames, the hello, the outcomes, and that an operation begins with its number: a writer needs these to
 * refuse a client of another version.
 */
export const WRITER_PROTOCOL = 1;

/** The query that waits until the replica holds all that a database has now (true), or for the timeout (false). */
export const REPLICATED_QUERY = 'writer.replicated';

export interface ReplicatedRequest {
  readonly database: string;
  readonly timeoutMs: number;
}

/** A mismatch ends soon: a writer of the client's release takes over, or the client itself is replaced. */
const MISMATCH_RETRY_SECONDS = 1;

/** Identifies a write, so that a sender who does not know its outcome can safely send it again. */
export interface Idempotency {
  /** The owner of the key: two owners may use the same key. */
  readonly owner: string;
  readonly key: string;
  /** Tells one request from another: version, dot, hash. Fingerprints of different versions are not compared. */
  readonly fingerprint: string;
}

/**
 * One write on the wire: sequence number, `feature.command`, deadline, input, size of its blob, how long its answer may
 * wait for the replica after the commit (0: it does not wait), and the Idempotency-Key of a write that may be repeated.
 */
export type WireOperation = [
  seq: number,
  name: string,
  deadlineMonotonicMs: number,
  input: unknown,
  blobBytes: number,
  replicatedTimeoutMs: number,
  idempotency?: Idempotency,
];

/** The first message of a client. Its operations are known by (client, seq), also after a reconnect. */
export interface Hello {
  readonly client: string;
  /** Its WRITER_PROTOCOL. */
  readonly protocol: number;
}

/** Every later message of a client. */
export interface WireBatch {
  /** Operations whose outcome the client has received; the writer forgets them. */
  readonly acks: readonly number[];
  readonly ops: readonly WireOperation[];
}

/** The outcome of one operation: its value, or why it was refused. */
export type Outcome = (
  | { readonly value: unknown }
  | { readonly code: string; readonly message: string; readonly options?: FailureOptions }
) & {
  /** The outcome is that of an earlier operation with the same Idempotency-Key. */
  readonly replayed?: true;
};

/** What the writer sends: outcomes by sequence number. */
export type WireOutcomes = readonly (readonly [seq: number, outcome: Outcome])[];

/** @returns the path of the writer's socket below a data folder */
export function writerSocketPath(dataDir: string): string {
  return join(dataDir, 'run', 'writer.sock');
}

/** @returns milliseconds on the monotonic clock, which all processes of the machine share */
export function monotonicNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** @returns the outcome for `failure`, without its cause */
export function refusal(failure: Failure): Outcome {
  const { errors, retryAfterSeconds, headers } = failure.options;
  const options = {
    ...(errors && { errors }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(headers && { headers }),
  };
  return { code: failure.code, message: failure.message, options };
}

/** @returns the refusal of an operation of another release that this writer does not understand: nothing is applied */
export function writerMismatch(): Failure {
  return new Failure('writer_mismatch', 'The writer runs another release, try again soon', {
    retryAfterSeconds: MISMATCH_RETRY_SECONDS,
  });
}

/**
 * @returns the value of an outcome
 * @throws Failure when the operation was refused
 */
export function unwrap(outcome: Outcome): unknown {
  if ('value' in outcome) return outcome.value;
  throw new Failure(isCode(outcome.code) ? outcome.code : 'internal', outcome.message, outcome.options);
}

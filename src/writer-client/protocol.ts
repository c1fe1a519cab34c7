import { join } from 'node:path';
import { Failure, type FailureOptions, isCode } from '../platform/errors.ts';

/**
 * The version of what workers and the writer say to each other; raised by every change that the other side could not
 * live with. What no change may touch: the frames, the hello, that an operation begins with its number, the outcomes. By
 * these a writer can refuse those who speak another version.
 */
export const WRITER_PROTOCOL = 1;

/** Asks, under this name, whether the replica holds what a database has now, once it does or the time is up. */
export const REPLICATED_QUESTION = 'writer.replicated';

export interface ReplicatedRequest {
  readonly database: string;
  readonly timeoutMs: number;
}

/** Another writer soon takes over, or the release that this client runs is on its way back. */
const MISMATCH_RETRY_SECONDS = 1;

/** What names a write, so that whoever does not know what became of it can safely send it again. */
export interface Idempotency {
  /** Whose key it is: two owners may use the same. */
  readonly owner: string;
  readonly key: string;
  /** Tells one request from another: its version, a dot, a hash. Those of different versions are not compared. */
  readonly fingerprint: string;
}

/**
 * One write on the wire: sequence number, `feature.command`, deadline, input, size of its blob, and how long its
 * answer waits for the replica after the commit, 0 for not at all; and what names it when its sender may repeat it.
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
  /** Operations whose outcome the client has; the writer forgets them. */
  readonly acks: readonly number[];
  readonly ops: readonly WireOperation[];
}

/** What became of one operation: its value, or why it was refused. */
export type Outcome = (
  | { readonly value: unknown }
  | { readonly code: string; readonly message: string; readonly options?: FailureOptions }
) & {
  /** It is that of an earlier operation with the same Idempotency-Key. */
  readonly replayed?: true;
};

/** What the writer sends: outcomes by sequence number. */
export type WireOutcomes = readonly (readonly [seq: number, outcome: Outcome])[];

/** @returns the path of the writer's socket below a data folder */
export function writerSocketPath(dataDir: string): string {
  return join(dataDir, 'run', 'writer.sock');
}

/** @returns milliseconds on a clock that all processes of the machine share and nobody can set */
export function monotonicNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** @returns an outcome that tells of `failure`, without its cause */
export function refusal(failure: Failure): Outcome {
  const { errors, retryAfterSeconds, headers } = failure.options;
  const options = {
    ...(errors && { errors }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(headers && { headers }),
  };
  return { code: failure.code, message: failure.message, options };
}

/** @returns the refusal of what this writer cannot read as it was meant: nothing of it is applied */
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

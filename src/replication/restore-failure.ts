import { Failure } from '../platform/errors.ts';
import { errorCode } from './files.ts';
import type { LitestreamLine } from './log-line.ts';
import { STAMP_RESOLUTION_MS } from './points/stamp.ts';
import type { DatabaseReplica } from './replica-context.ts';
import type { RunEnd } from './restore-run.ts';
import { openStore } from './store/open.ts';
import { StoreRefusal } from './store/store.ts';
import { replicaUnreachable } from './store/unreachable.ts';

/**
 * The messages of the system and SQLite for a full disk. Litestream exits with 1 for every failure and removes what it
 * has written, so only its message tells.
 */
const NO_SPACE = /no space left on device|disk quota exceeded|database or disk is full/i;
const REASON_MAX_CHARS = 500;
/** For the request that finds out whether the store is there. */
const LOOK_TIMEOUT_MS = 20_000;

const DENIALS: readonly (string | number | undefined)[] = [
  ...['NoCredentialProviders', 'AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'],
  ...['ExpiredToken', 'InvalidToken', 401, 403, 'EACCES', 'EPERM'],
];
const NO_BUCKET: readonly string[] = ['NoSuchBucket', 'InvalidBucketName'];

/** Litestream did not read the replica: it could not be started, or was killed. */
class LitestreamGone extends Error {}

/** The newest generation cannot be restored, and there is an older one. */
class OlderGeneration extends Error {
  /** When the store took the last object of the older generation. */
  readonly untilMs: number;

  constructor(untilMs: number) {
    super();
    this.untilMs = untilMs;
  }
}

/** Why a restore failed, in one line of bounded length. */
interface Reason {
  /** As Litestream logged it, for parsing. */
  readonly given: string;
  /** Without credentials, for people. */
  readonly shown: string;
}

/**
 * @param lines the log of the restore
 * @returns the reason of its failure
 */
export function reasonIn(lines: readonly LitestreamLine[]): Reason {
  const panic = lines.find(({ message }) => message.startsWith('panic: '));
  const last = panic ?? lines.findLast(({ level }) => level === 'error') ?? lines.at(-1);
  return { given: textOf(last), shown: textOf(last?.shown) };
}

function textOf(said: LitestreamLine['shown'] | undefined): string {
  const text = typeof said?.fields.error === 'string' ? said.fields.error : said?.message;
  return (text ?? 'it gave no reason').replaceAll(/\s+/g, ' ').slice(0, REASON_MAX_CHARS);
}

/**
 * @param reason for people
 * @returns the failure for a database that cannot be restored from its replica
 */
export function notRestored(
  { config: { replica }, database }: Pick<DatabaseReplica, 'config' | 'database'>,
  reason: string,
  cause?: Error,
): Failure {
  const text = `The database ${database} cannot be restored from ${replica.url}: ${reason}`;
  return new Failure('restore_failed', text, { cause });
}

/**
 * @param error why the newest generation could not be restored
 * @param untilMs when the store took the last object of an older one
 * @returns the error, with the older generation as its cause
 */
export function besideOlder(error: unknown, untilMs: number): unknown {
  if (!(error instanceof Failure) || error.code !== 'restore_failed' || error.cause) return error;
  return new Failure(error.code, error.message, { cause: new OlderGeneration(untilMs) });
}

/**
 * Adds advice for a restore without a newer database. A running database begins a new generation instead.
 *
 * @returns the failure, with how to restore an older generation, where there is one
 */
export function withWayBack(failure: Failure): Failure {
  if (!(failure.cause instanceof OlderGeneration)) return failure;
  // The end of the second: stores round times down to whole seconds, and all of the generation must be before it.
  const at = new Date(failure.cause.untilMs + STAMP_RESOLUTION_MS - 1).toISOString();
  const advice = `npx ninelives restore --in-place --at ${at} restores an older generation, without what was committed after it.`;
  return new Failure(failure.code, `${failure.message}. ${advice}`, { cause: failure.cause });
}

/** @param reason for people */
export function noSpace(database: string, reason: string): Failure {
  return new Failure('storage_full', `No space to restore the database ${database}: ${reason}`);
}

/**
 * Finds out what a failure of Litestream means. Litestream does not distinguish causes, so this asks the store itself.
 *
 * @returns storage_full, replica_unreachable, or else restore_failed
 */
export async function restoreFailure(source: DatabaseReplica, { lines, isGone }: RunEnd): Promise<Failure> {
  const { given, shown } = reasonIn(lines);
  if (isGone) return notRestored(source, shown, new LitestreamGone(shown));
  if (NO_SPACE.test(given)) return noSpace(source.database, shown);
  return (await unreadable(source)) ?? notRestored(source, shown);
}

/** @returns why the replica of a database cannot be read; undefined when it can */
export async function unreadable({
  config,
  database,
  env,
  signal,
}: Pick<DatabaseReplica, 'config' | 'database' | 'env' | 'signal'>): Promise<Failure | undefined> {
  try {
    await openStore({ config, env, timeoutMs: LOOK_TIMEOUT_MS, signal }).names(database);
    return undefined;
  } catch (error) {
    return replicaUnreachable(config.replica, error);
  }
}

/**
 * Gives a failure a more precise code. A start treats every cause alike; a person who restores by hand can act on it.
 *
 * @param failure of a restore or of a listing
 * @returns the failure as replica_denied, bucket_missing or replica_damaged where it is one of those; else itself
 */
export function clarified(failure: unknown): unknown {
  if (!(failure instanceof Failure)) return failure;
  const code = clearerCode(failure);
  return code === failure.code ? failure : new Failure(code, failure.message, { cause: failure });
}

function clearerCode({ code, cause }: Failure): Failure['code'] {
  if (code === 'restore_failed') return cause instanceof LitestreamGone ? code : 'replica_damaged';
  if (code !== 'replica_unreachable') return code;
  const reason = errorCode(cause);
  if (NO_BUCKET.includes(reason)) return 'bucket_missing';
  const status = cause instanceof StoreRefusal ? cause.status : undefined;
  return DENIALS.includes(reason) || DENIALS.includes(status) ? 'replica_denied' : code;
}

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
 * What the system and SQLite say of a full disk. Litestream ends with 1 whatever it was, and removes what it has written, so
 * that only its words tell.
 */
const NO_SPACE = /no space left on device|disk quota exceeded|database or disk is full/i;
const REASON_MAX_CHARS = 500;
/** How long a store may take to say whether it is there. */
const LOOK_TIMEOUT_MS = 20_000;

const DENIALS: readonly (string | number | undefined)[] = [
  ...['NoCredentialProviders', 'AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'],
  ...['ExpiredToken', 'InvalidToken', 401, 403, 'EACCES', 'EPERM'],
];
const NO_BUCKET: readonly string[] = ['NoSuchBucket', 'InvalidBucketName'];

/** Litestream has not come to the replica: it could not be started, or somebody has killed it. */
class LitestreamGone extends Error {}

/** The newest generation cannot be restored, and there is an older one. */
class OlderGeneration extends Error {
  /** When the store took the last thing of it. */
  readonly untilMs: number;

  constructor(untilMs: number) {
    super();
    this.untilMs = untilMs;
  }
}

/** Why a restore failed, in one line of bounded length. */
interface Reason {
  /** As Litestream gave it, to be understood. */
  readonly given: string;
  /** Without credentials, to be shown. */
  readonly shown: string;
}

/**
 * @param lines what the restore has logged
 * @returns the reason that it gave
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
 * @param reason in words
 * @returns the failure for a database of which nothing in its replica can be restored
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
 * @param untilMs when the store took the last thing of an older one
 */
export function besideOlder(error: unknown, untilMs: number): unknown {
  if (!(error instanceof Failure) || error.code !== 'restore_failed' || error.cause) return error;
  return new Failure(error.code, error.message, { cause: new OlderGeneration(untilMs) });
}

/**
 * For where there is no database that is newer. While one runs a new generation is begun of it instead.
 *
 * @returns the failure, with how an older generation is restored, where there is one
 */
export function withWayBack(failure: Failure): Failure {
  if (!(failure.cause instanceof OlderGeneration)) return failure;
  // Stores tell whole seconds, cut off: so that all of it is before.
  const at = new Date(failure.cause.untilMs + STAMP_RESOLUTION_MS - 1).toISOString();
  const advice = `npx ninelives restore --in-place --at ${at} restores an older generation, without what was committed after it.`;
  return new Failure(failure.code, `${failure.message}. ${advice}`, { cause: failure.cause });
}

/** @param reason in words */
export function noSpace(database: string, reason: string): Failure {
  return new Failure('storage_full', `No space to restore the database ${database}: ${reason}`);
}

/**
 * Finds out what a failure of Litestream means. It tells no causes from each other, so the store itself is asked whether it
 * is there.
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
 * A start treats everything that keeps it from the replica alike. A person who restores by hand can do something
 * about it, and wants to know what.
 *
 * @param failure of a restore or of a listing
 * @returns the failure with the code that says most: replica_denied, bucket_missing or replica_damaged where it is
 *   one of those; else itself
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

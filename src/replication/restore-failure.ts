import { Failure } from '../errors.ts';
import type { LitestreamLine } from './log-line.ts';
import type { Replica } from './replica-url.ts';

/** What Litestream says when the store cannot be asked: no way to it, wrong credentials, no such bucket. */
const UNREACHABLE = new RegExp(
  [
    'RequestError|RequestCanceled|SerializationError|NoCredentialProviders|NoSuchBucket|InvalidBucketName',
    'AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|RequestTimeTooSkewed',
    'AuthorizationHeaderMalformed|PermanentRedirect|SlowDown|(status code|StatusCode): (301|401|403|407|429|5\\d\\d)',
    'exceeded maximum number of attempts|context deadline exceeded',
    'connection (refused|reset)|no such host|i/o timeout|no route to host|network is unreachable|x509|tls:',
    'permission denied|input/output error|stale NFS file handle|transport endpoint is not connected',
  ].join('|'),
  'i',
);
const NO_SPACE = /no space left on device|disk quota exceeded|database or disk is full/i;
const REASON_MAX_CHARS = 500;

/** @returns what to look at when a replica cannot be reached */
function adviceFor(replica: Replica): string {
  return replica.type === 's3'
    ? 'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'
    : 'Check REPLICA_URL, and that its disk is mounted and readable.';
}

/** Why a restore failed, in one line of bounded length. */
export interface Reason {
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
 * @param database its name
 * @param replica where it was restored from
 * @param reason what `reasonIn` found
 * @returns the failure that it means: storage_full, replica_unreachable, or else restore_failed
 */
export function restoreFailure(database: string, replica: Replica, { given, shown }: Reason): Failure {
  if (NO_SPACE.test(given)) {
    return new Failure('storage_full', `No space to restore the database ${database}: ${shown}`);
  }
  if (UNREACHABLE.test(given)) return replicaUnreachable(replica, shown);
  return new Failure(
    'restore_failed',
    `The database ${database} cannot be restored from ${replica.url}: ${shown}`,
  );
}

/** @returns the failure for a replica that does not answer, with what to look at */
export function replicaUnreachable(replica: Replica, reason: string): Failure {
  return new Failure(
    'replica_unreachable',
    `The replica ${replica.url} cannot be reached: ${reason}. ${adviceFor(replica)}`,
  );
}

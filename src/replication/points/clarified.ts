import { Failure } from '../../errors.ts';

const DENIED =
  /NoCredentialProviders|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|(status code|StatusCode): (401|403)|permission denied/i;
/** Litestream itself, or what became of it. */
const NOT_THE_REPLICA = /cannot be started|killed by|exists; a restore never overwrites/;
const NO_BUCKET = /NoSuchBucket|InvalidBucketName/i;

/**
 * A start treats everything that keeps it from the replica alike. A person who restores by hand can do something
 * about it, and wants to know what.
 *
 * @param failure of a restore or of a listing
 * @returns the failure with the code that says most: replica_denied, bucket_missing or replica_damaged where it is
 *   one of those; else itself
 */
export function clarified(failure: Failure): Failure {
  const code = clearerCode(failure);
  return code === failure.code ? failure : new Failure(code, failure.message, { cause: failure });
}

function clearerCode({ code, message }: Failure): Failure['code'] {
  if (code === 'restore_failed') return NOT_THE_REPLICA.test(message) ? code : 'replica_damaged';
  if (code !== 'replica_unreachable') return code;
  if (NO_BUCKET.test(message)) return 'bucket_missing';
  return DENIED.test(message) ? 'replica_denied' : code;
}

import { Failure } from '../../errors.ts';
import type { Replica } from '../replica-url.ts';

/**
 * @param because what asking it has ended with, or why nobody asks it
 * @returns the failure for a replica that cannot be reached, with what to look at; what is a failure already stays as it is
 */
export function replicaUnreachable({ url, type }: Replica, because: unknown): Failure {
  if (because instanceof Failure) return because;
  const reason = because instanceof Error ? because.message : because;
  const advice =
    type === 's3'
      ? 'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'
      : 'Check REPLICA_URL, and that its disk is mounted and readable.';
  return new Failure('replica_unreachable', `The replica ${url} cannot be reached: ${reason}. ${advice}`, {
    cause: because,
  });
}

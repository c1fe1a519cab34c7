import type { Replica } from '../../config/replica-url.ts';
import { Failure } from '../../platform/errors.ts';
import { CHECK_ALL, remedyOf, unanswered } from './remedies.ts';
import { StoreRefusal } from './store.ts';

/**
 * @param because the error of the request, or why there was none
 * @returns the failure for a replica that cannot be reached, with advice; a `Failure` is returned as it is
 */
export function replicaUnreachable({ url, type }: Replica, because: unknown): Failure {
  if (because instanceof Failure) return because;
  const reason = because instanceof Error ? because.message : because;
  const remedy =
    because instanceof StoreRefusal
      ? remedyOf(because)
      : because instanceof Error
        ? unanswered(because).remedy
        : undefined;
  const advice =
    type === 's3' ? (remedy ?? CHECK_ALL) : 'Check REPLICA_URL, and that its disk is mounted and readable.';
  return new Failure('replica_unreachable', `The replica ${url} cannot be reached: ${reason}. ${advice}`, {
    cause: because,
  });
}

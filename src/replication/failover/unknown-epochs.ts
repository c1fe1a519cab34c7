import { Failure } from '../../platform/errors.ts';
import { epochOf } from './epoch.ts';

/** @returns why a replica without a record cannot be used; undefined where it has no epochs */
export function unknownEpochs(url: string, folders: readonly string[]): Failure | undefined {
  const newest = [...folders].sort((a, b) => (epochOf(a) ?? 0) - (epochOf(b) ?? 0)).at(-1);
  if (newest === undefined) return undefined;
  return new Failure(
    'history_unsettled',
    `The replica ${url} has the folders ${folders.join(', ')} of systems that took over from each other, and no record that says which of them counts. Nothing was changed. To restore one of them, name it: REPLICA_URL=${url}/${newest}`,
  );
}

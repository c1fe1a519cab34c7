import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Found, ok, problem, warning } from '../contract/finding.ts';
import { knownFolder } from '../replication/failover/known-folder.ts';
import { readNote } from '../replication/failover/note.ts';
import { isCoveredByDataDir } from '../replication/lease/covered.ts';
import { identityOf } from '../replication/lease/identity.ts';
import { judge } from '../replication/lease/judge.ts';
import { openLeaseStore } from '../replication/lease/open-store.ts';
import { ownerOf, parseRecord } from '../replication/lease/record.ts';
import { remedyOf } from '../replication/store/remedies.ts';
import { StoreRefusal } from '../replication/store/store.ts';

const STOP_THAT_ONE =
  'Stop that one, or set another REPLICA_URL. If it is gone for good, a start waits for 30 s, or takes it at once with --take-over.';

/** @returns why the record cannot be read or written. A store may refuse that, and allow the rest of the replica */
export function unreadRecord(error: Error): Found {
  const remedy = error instanceof StoreRefusal ? remedyOf(error) : undefined;
  return remedy === undefined
    ? warning(`not known: ${error.message}`, 'See what is said of the replica.')
    : problem(`not known: ${error.message}`, remedy);
}

/** @returns who owns the replica. Another owner is a warning: only time, which a start takes, tells whether it lives */
export async function checkOwner(config: Config, secrets: Secrets): Promise<Found> {
  if (isCoveredByDataDir(config)) return ok('the data folder holds the replica, and its lock covers it');
  try {
    const store = openLeaseStore(config, { ...process.env, ...secrets });
    const found = await store.read();
    const ignored = await store.ignored();
    if (ignored === undefined) await store.demandWritable();
    const record = found && parseRecord(found.text);
    const self = identityOf(config.DATA_DIR, process.pid);
    const judgement =
      found && !record
        ? 'unknown'
        : judge({
            record,
            self,
            session: '',
            isLocked: false,
            folder: knownFolder(config),
            note: readNote(config.DATA_DIR),
          });
    const owner = record ? ownerOf(record) : 'somebody whose record cannot be read';
    if (judgement === 'refused')
      return problem(
        `held by ${owner}, with a second system that takes over from it (FAILOVER=lease)`,
        'Set FAILOVER=lease here, too, or another REPLICA_URL. Only the one that has led last can go on alone.',
      );
    if (judgement === 'elsewhere')
      return problem(
        `held by ${owner}, in its folder ${record?.data || 'of before'}, and the databases here are not from there`,
        'Put those aside: a start restores them. Or set another REPLICA_URL.',
      );
    if (judgement === 'unknown') return warning(`last held by ${owner}`, STOP_THAT_ONE);
    if (ignored === undefined) return ok(record ? 'this system, or one that is gone' : 'nobody yet');
    return warning(
      `the store ignores ${ignored}`,
      'See to it that two systems never start on it in the same moment, or use another store.',
    );
  } catch (error) {
    return unreadRecord(error as Error);
  }
}

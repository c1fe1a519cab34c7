import type { Config } from '../../config/config.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { readNote } from '../failover/note.ts';
import { identityOf } from './identity.ts';
import { LeaseKeeper, type LeaseKeeperOptions } from './keeper.ts';
import { openLeaseStore } from './open-store.ts';
import type { LeaseStore } from './store.ts';

/** The input of the process from the primary; the credentials come in its environment. */
export interface LeaseInput
  extends Pick<LeaseKeeperOptions, 'session' | 'isResumed' | 'isTakeOver' | 'folder'> {
  /** Of the primary. */
  readonly pid: number;
}

/** The process that owns the replica. It is a process of its own so that nothing else delays a renewal. */
export async function run({ config, log, send, standby, ready, onMessage }: Runtime): Promise<void> {
  process.umask(0o077);
  const { pid, ...input } = (await standby()) as LeaseInput;
  const store = openLeaseStore(config, process.env);
  let isTried = input.isResumed;
  const keeper = new LeaseKeeper({
    ...input,
    note: readNote(config.DATA_DIR),
    store,
    self: identityOf(config.DATA_DIR, pid),
    onChange(ownership) {
      send({ kind: 'ownership', ...ownership });
      const { url } = config.replica;
      if (ownership.state === 'waiting')
        log.warn({ replica: url }, `the replica ${url}: ${ownership.reason}`);
      if (ownership.state !== 'held' || isTried) return;
      isTried = true;
      void tellWhatIsIgnored(store, config, log);
    },
    log,
  });
  let isReleasing = false;
  onMessage((message) => {
    if (message.kind === 'positions') keeper.tell(message);
    if (message.kind === 'renew') keeper.renew();
    if (message.kind === 'release') {
      isReleasing = true;
      keeper
        .release()
        .catch((error: Error) => log.warn(`the replica could not be released: ${error.message}`))
        .finally(() => log.flush(() => process.exit(0)));
    }
    if (message.kind === 'drain' && !isReleasing) log.flush(() => process.exit(0));
  });
  ready();
  await keeper.run();
}

async function tellWhatIsIgnored(store: LeaseStore, config: Config, log: Runtime['log']): Promise<void> {
  // A store that does not answer is reported elsewhere.
  const ignored = await store.ignored().catch(() => undefined);
  if (ignored === undefined) return;
  log.warn(
    `the store of ${config.replica.url} ignores ${ignored}: two systems that start on it at once are told from each other only within 10 s`,
  );
}

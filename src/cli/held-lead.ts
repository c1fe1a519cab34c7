import { Failure } from '../platform/errors.ts';
import { readNote, writeNote } from '../replication/failover/note.ts';
import { timesOf } from '../replication/failover/times.ts';
import { isLastLeader } from '../replication/lease/judge.ts';
import { openLeaseStore } from '../replication/lease/open-store.ts';
import { type LeaseRecord, ownerOf, parseRecord } from '../replication/lease/record.ts';
import type { LeaseStore } from '../replication/lease/store.ts';
import type { CommandReplica } from './restore-context.ts';

/**
 * The lead of two systems, held by a command while it replaces the databases of the system that led last. States: held
 * (`take`; it renews the record, which says that no system may challenge) → ended (`end`): the record is as before
 * where nothing was `replaced`; else it stays, until the next start here begins another epoch with the new databases.
 */
export class HeldLead {
  readonly #store: LeaseStore;
  readonly #dataDir: string;
  #record: LeaseRecord;
  #timer: NodeJS.Timeout;
  #renewal: Promise<void> = Promise.resolve();

  private constructor(store: LeaseStore, dataDir: string, record: LeaseRecord) {
    this.#store = store;
    this.#dataDir = dataDir;
    this.#record = record;
    const { renewIntervalMs } = timesOf(record.ttlMs ?? 0);
    this.#timer = setInterval(() => {
      this.#renewal = this.#renewal.then(() => this.#write({ isRestoring: true }));
      // The restore goes on all the same: the next start here finds out whether it still leads.
      this.#renewal = this.#renewal.catch(() => {});
    }, renewIntervalMs);
  }

  /** @throws Failure replica_in_use where another system may lead; replica_unreachable when that cannot be found out */
  static async take({ root, env }: CommandReplica): Promise<HeldLead> {
    const store = openLeaseStore(root, env);
    const found = await store.read().catch((error: Error) => {
      throw new Failure('replica_unreachable', `It cannot be known who leads: ${error.message}`);
    });
    const record = found && parseRecord(found.text);
    if (record === undefined || !isLastLeader(record, readNote(root.DATA_DIR)))
      throw new Failure(
        'replica_in_use',
        `The replica ${root.replica.url} is that of systems that take over from each other (FAILOVER=lease), led last by ${record ? ownerOf(record) : 'nobody that is known'}. Nothing was done. Run it there, behind ninelives stop --keep; to look at what is in the replica: --to FILE`,
      );
    const lead = new HeldLead(store, root.DATA_DIR, record);
    try {
      await lead.#write({ isRestoring: true });
    } catch (error) {
      clearInterval(lead.#timer);
      throw new Failure('replica_in_use', `${(error as Error).message} Nothing was done.`);
    }
    return lead;
  }

  /** The databases were replaced: the next start begins another epoch. */
  replaced(): void {
    const note = readNote(this.#dataDir);
    if (note) writeNote(this.#dataDir, { ...note, isWhole: false });
  }

  /** Resolves when no renewal is under way any more. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    if (readNote(this.#dataDir)?.isWhole === true)
      await this.#write({ isRestoring: undefined }).catch(() => {});
  }

  /** @throws Error when another system has the record by now, or the store refuses the write */
  async #write(change: Pick<LeaseRecord, 'isRestoring'>): Promise<void> {
    const found = await this.#store.read();
    const before = found && parseRecord(found.text);
    if (before?.session !== this.#record.session) throw new Error('Another system leads by now.');
    const record: LeaseRecord = { ...before, ...change, state: 'held', n: before.n + 1 };
    const note = readNote(this.#dataDir);
    // Noted before it is sent: the write may succeed without an answer.
    if (note) writeNote(this.#dataDir, { ...note, n: record.n });
    if (!(await this.#store.write(JSON.stringify(record), found)))
      throw new Error('Another system leads by now.');
    this.#record = record;
  }
}

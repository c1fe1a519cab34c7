import { randomUUID } from 'node:crypto';
import type { LagReport, Ownership } from '../messages/messages.ts';
import type { LeasePositions, Schema } from '../messages/positions.ts';
import { Failure } from '../platform/errors.ts';
import { unknownEpochs } from '../replication/failover/unknown-epochs.ts';
import { isCoveredByDataDir } from '../replication/lease/covered.ts';
import type { LeaseInput } from '../replication/lease/main.ts';
import { parseRecord } from '../replication/lease/record.ts';
import { Changes } from './changes.ts';
import type { ProcessFactory } from './process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from './processes.ts';
import { RecordPositions } from './record-positions.ts';
import type { Deployment } from './release/deployment.ts';
import type { ReplicaOwner } from './replica-owner.ts';
import type { Slot } from './slot.ts';

/** How long a start waits for the first finding. A later one is waited for in `settled`. */
const FIRST_FINDING_MS = 1000;
const CHECK_MS = 3000;

export interface LeasePlaceOptions {
  /** The primary's own: it owns the record, also over each exchange. Its replica is the one that has the record. */
  readonly deployment: Deployment;
  /** The folder that this system writes, below that replica; empty: the replica itself. */
  readonly folder: string;
  /** Whether to take the replica from the system that owns it. */
  readonly isTakeOver: boolean;
  readonly factory: ProcessFactory;
  /** The replica was taken, and how, where that is worth telling. */
  readonly onTaken: (how: string) => void;
  /** The replica is another system's, after it was this one's or while this one serves. */
  readonly onLost: (failure: Failure) => void;
  readonly onChange: () => void;
}

/**
 * The process that owns the replica, in its slot, and what it has found. States and who moves them: none (the replica
 * is within the data folder, whose lock covers it), or unknown → waiting ↔ held → lost, by the messages of the process;
 * lost is final. A later process in the slot goes on with the same session.
 */
export class LeasePlace implements ReplicaOwner {
  readonly slot: Slot | undefined;
  readonly #options: LeasePlaceOptions;
  readonly #session = randomUUID();
  #ownership: Ownership | undefined;
  #hasHeld = false;
  /** How many findings the process has sent. */
  #heard = 0;
  /** Whether the start has gone on: from now on a lost replica is told by `onLost`. */
  #isSettled = false;
  readonly #changes = new Changes();
  readonly #positions = new RecordPositions((message) => this.slot?.child?.send(message));

  constructor(options: LeasePlaceOptions) {
    this.#options = options;
    const { factory, deployment } = options;
    if (isCoveredByDataDir(deployment.config)) return;
    const name = PROCESSES.lease.role;
    this.slot = factory.slot(PROCESSES.lease, { name, deployment }, () =>
      factory.child(PROCESSES.lease, { name, deployment, input: this.#input }),
    );
    this.slot.on('child', (child) => {
      child.once('ready', () => child.send(this.#positions.message));
      child.on('message', (message) => {
        if (message.kind === 'ownership') this.#hear(message);
      });
    });
  }

  get isHeld(): boolean {
    return this.slot === undefined || this.#ownership?.state === 'held';
  }

  get failure(): Failure | undefined {
    if (this.#ownership?.state !== 'lost') return undefined;
    const { url } = this.#options.deployment.config.replica;
    const unknown = unknownEpochs(url, this.#ownership.epochs ?? []);
    if (unknown) return unknown;
    const { reason, advice } = this.#ownership;
    if (advice !== undefined)
      return new Failure('replica_in_use', `The replica ${url} is used by ${reason}. ${advice}`);
    return new Failure(
      'replica_in_use',
      `The replica ${url} is used by ${reason}. Stop that one, or give this one another REPLICA_URL. If it is gone for good: ninelives start --take-over`,
    );
  }

  get trouble(): string | undefined {
    return this.#ownership?.state === 'waiting' ? this.#ownership.reason : this.#ownership?.trouble;
  }

  get waitsForOther(): boolean {
    return this.#ownership?.state === 'waiting' && this.#ownership.isToServe !== true;
  }

  async start(): Promise<void> {
    this.demand();
    if (this.slot?.state === 'stopped') this.slot.start();
    await this.slot?.ready();
    await this.#until(() => this.#ownership !== undefined, FIRST_FINDING_MS);
    this.demand();
  }

  async settled(): Promise<void> {
    await this.#until(() => this.#ownership !== undefined && !this.waitsForOther);
    this.demand();
    this.#isSettled = true;
  }

  demand(): void {
    if (this.failure) throw this.failure;
  }

  async check(): Promise<void> {
    const heard = this.#heard;
    if (this.slot?.child?.isReachable) {
      this.slot.child.send({ kind: 'renew' });
      await this.#until(() => this.#heard > heard, CHECK_MS);
    }
    this.demand();
  }

  async isRecorded(): Promise<boolean> {
    if (!this.slot) return true;
    const { config, secrets } = this.#options.deployment;
    // Imported late: it loads SQLite, which a primary that never gets here does not need.
    const { openLeaseStore } = await import('../replication/lease/open-store.ts');
    const store = openLeaseStore(config, { ...process.env, ...secrets });
    const record = parseRecord((await store.read())?.text ?? '');
    if (record?.session === this.#session) return true;
    // The process finds out what that means.
    if (this.slot.child?.isReachable) this.slot.child.send({ kind: 'renew' });
    return false;
  }

  migrated(schema: Schema, needs: Schema | undefined): void {
    this.#positions.migrated(schema, needs);
  }

  told(reports: Readonly<Record<string, LagReport>>): void {
    this.#positions.told(reports);
  }

  async stop(cause: string, last?: LeasePositions['last']): Promise<void> {
    const { slot } = this;
    if (!slot || slot.state === 'stopped') return;
    this.#positions.stopped(last);
    slot.child?.send({ kind: 'release' });
    // It ends by itself after the release.
    slot.retire(drainTimeoutMsOf(PROCESSES.lease, slot.deployment.config), cause);
    this.#changes.announce();
    await slot.stopped();
  }

  get #input(): LeaseInput {
    const { isTakeOver, folder } = this.#options;
    return {
      folder,
      session: this.#session,
      isResumed: this.#hasHeld,
      isTakeOver: isTakeOver && !this.#hasHeld,
      pid: process.pid,
    };
  }

  #hear(ownership: Ownership): void {
    if (this.#ownership?.state === 'lost') return;
    const { onTaken, onLost, onChange } = this.#options;
    this.#ownership = ownership;
    this.#heard += 1;
    if (ownership.state === 'held' && ownership.reason) onTaken(ownership.reason);
    if (ownership.state === 'held') this.#hasHeld = true;
    this.#changes.announce();
    if (this.failure) {
      this.slot?.retire(0, this.failure.message);
      if (this.#isSettled) onLost(this.failure);
    }
    onChange();
  }

  async #until(condition: () => boolean, timeoutMs?: number): Promise<void> {
    const { slot } = this;
    if (!slot) return;
    // A process that cannot be started ends this wait with its failure.
    const failed = slot.ready().then(() => new Promise<never>(() => {}));
    const demandGoingOn = () => {
      if (slot.state === 'stopping' || slot.state === 'stopped')
        throw new Failure('not_ready', 'Stopped while it was found out whose the replica is');
    };
    await this.#changes.until(condition, { demandGoingOn, failed, timeoutMs });
  }
}

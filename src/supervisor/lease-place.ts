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

/** What everything else waits for what its process finds first; what takes longer is waited for where it counts. */
const FIRST_FINDING_MS = 1000;
const CHECK_MS = 3000;

export interface LeasePlaceOptions {
  /** The primary's own: the record is its, and stays so over each exchange. Its replica is that which has the record. */
  readonly deployment: Deployment;
  /** The folder below that replica that this system writes; empty: the replica itself. */
  readonly folder: string;
  /** Takes the replica from whoever owns it. */
  readonly isTakeOver: boolean;
  readonly factory: ProcessFactory;
  /** How the replica was taken, where that is not plain. */
  readonly onTaken: (how: string) => void;
  /** The replica is another's, after it was ours or while the system serves. */
  readonly onLost: (failure: Failure) => void;
  readonly onChange: () => void;
}

/**
 * The process that owns the replica, in its place, and what it has found. States and who moves them: none (the replica is
 * within the data folder, whose lock covers it), or unknown → waiting ↔ held → lost, by the messages of the process; lost
 * is final. Another process in the place goes on with the same session.
 */
export class LeasePlace implements ReplicaOwner {
  readonly slot: Slot | undefined;
  readonly #options: LeasePlaceOptions;
  readonly #session = randomUUID();
  #ownership: Ownership | undefined;
  #hasHeld = false;
  /** Counts what its process has said. */
  #heard = 0;
  /** The start goes on by what was found. */
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
    // It brings SQLite along, which a primary that is never asked has no use for.
    const { openLeaseStore } = await import('../replication/lease/open-store.ts');
    const store = openLeaseStore(config, { ...process.env, ...secrets });
    const record = parseRecord((await store.read())?.text ?? '');
    if (record?.session === this.#session) return true;
    // What to make of that, its process finds out.
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
    // It ends by itself.
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
    // One that cannot be brought up ends the start as any other.
    const failed = slot.ready().then(() => new Promise<never>(() => {}));
    const demandGoingOn = () => {
      if (slot.state === 'stopping' || slot.state === 'stopped')
        throw new Failure('not_ready', 'Stopped while it was found out whose the replica is');
    };
    await this.#changes.until(condition, { demandGoingOn, failed, timeoutMs });
  }
}

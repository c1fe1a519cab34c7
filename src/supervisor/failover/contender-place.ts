import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Confirmation } from '../../messages/confirmation.ts';
import type { LagReport, Leadership, PeerState, Trouble } from '../../messages/messages.ts';
import type { LeasePositions, Schema } from '../../messages/positions.ts';
import type { Rehearsal } from '../../messages/rehearsal.ts';
import { Failure } from '../../platform/errors.ts';
import { epochFolder } from '../../replication/failover/epoch.ts';
import type { ContenderInput } from '../../replication/failover/main.ts';
import { monotonicNowMs } from '../../writer-client/protocol.ts';
import { Changes } from '../changes.ts';
import { type Clock, processClock } from '../clock.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from '../processes.ts';
import { RecordPositions } from '../record-positions.ts';
import type { Deployment } from '../release/deployment.ts';
import type { ReplicaOwner } from '../replica-owner.ts';
import type { Slot } from '../slot.ts';

const CHECK_MS = 3000;
/** How long it may take to give the record away: a look and a write. */
const RELEASE_MS = 3000;
/** How long the other system may take to take the record. It looks at it when it is asked. */
const TAKE_MS = 5000;
const RECLAIM_MS = 3000;
const ASK_AGAIN_MS = 200;
const PEER_MS = 3000;
const ANNOUNCE_MS = 5000;

/** What a system that leads wants to hear from its contender. */
export interface Led {
  /** A confirmation counts: the commit is replicated from now on. */
  readonly onCounted: (confirmation: Confirmation) => void;
  /** Until when the writer may commit, on the monotonic clock; 0 when it may not. */
  readonly onDeadline: (monotonicMs: number) => void;
  /** This system leads no more. */
  readonly onLost: (failure: Failure) => void;
  readonly onChange: () => void;
}

/**
 * The process that contends for this system, in its slot, and what it has found. States are the contender's, moved by
 * its messages. What the primary has done about them (the databases are restored, the folder is covered, everything is
 * shipped) is told again to each new process in the slot, which goes on with the same session.
 */
export class ContenderPlace implements ReplicaOwner {
  readonly slot: Slot;
  readonly #deployment: Deployment;
  readonly #session = randomUUID();
  #leadership: Leadership = { state: 'standby' };
  #led: Led | undefined;
  #heard = 0;
  /** How many questions to the other system have been answered or have failed. */
  #asked = 0;
  #hasHeld = false;
  #isRestored = false;
  #rehearsal: Rehearsal | undefined;
  #isShipped = false;
  /** Requests wait for the other system: that nothing may be committed is as it should be, and no problem. */
  #isHandingOver = false;
  #isServing = false;
  #isKept = false;
  /** The last upload of each database, whether or not it counts yet. */
  readonly #uploaded = new Map<string, Confirmation>();
  readonly #changes = new Changes();
  readonly #positions = new RecordPositions((message) => this.#send(message));
  /** Runs out when the writer's time ends, since no message tells of a renewal that did not come. */
  #expiry: ReturnType<Clock['after']> | undefined;
  readonly #onChange: () => void;
  readonly #takeOver: string | undefined;

  /**
   * @param deployment whose replica is the one that both systems share
   * @param takeOver the folder to go on from, where there is no record
   */
  constructor(
    deployment: Deployment,
    factory: ProcessFactory,
    onChange: () => void,
    takeOver?: string | undefined,
  ) {
    this.#takeOver = takeOver;
    this.#deployment = deployment;
    this.#onChange = onChange;
    const name = PROCESSES.contender.role;
    this.slot = factory.slot(PROCESSES.contender, { name, deployment }, () =>
      factory.child(PROCESSES.contender, { name, deployment, input: this.#input }),
    );
    this.slot.on('child', (child) => {
      child.once('ready', () => this.#brief());
      child.on('message', (message) => {
        if (message.kind === 'leadership') this.#hear(message);
        if (message.kind === 'peer-asked') {
          this.#asked += 1;
          this.#changes.announce();
        }
        if (message.kind === 'counted') {
          const { kind: _kind, ...confirmation } = message;
          this.#led?.onCounted(confirmation);
        }
      });
    });
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  get isHeld(): boolean {
    return ['restoring', 'uploading', 'leader', 'suspended'].includes(this.#leadership.state);
  }

  get failure(): Failure | undefined {
    const { state, holder, reason } = this.#leadership;
    const { url } = this.#deployment.config.replica;
    if (state === 'fenced')
      return new Failure('fenced', `The replica ${url} is led by ${holder ?? 'another system'} now`);
    if (state !== 'refused') return undefined;
    return new Failure(
      'history_unsettled',
      `It cannot be told which system leads the replica ${url}: ${reason}. Nothing was changed. To go on from one of its folders where the record is missing, or no record: ninelives start --take-over --epoch eNNNNNN`,
    );
  }

  /** The folder that counts, where it is this system's own; undefined before that. */
  get countingFolder(): string | undefined {
    const { epoch, data } = this.#leadership;
    return epoch !== undefined && data === epochFolder(epoch) ? data : undefined;
  }

  /** Why nothing may be committed now, though this system still leads as far as it knows; undefined when it may. */
  get suspendedBecause(): string | undefined {
    const { reason } = this.#leadership;
    if (!this.#led || this.failure || this.#isHandingOver || monotonicNowMs() < this.#deadlineMs)
      return undefined;
    return `it is not known whether this system still leads, and nothing is committed: ${reason ?? 'its record was not renewed in time'}`;
  }

  get trouble(): string | undefined {
    const { state, reason } = this.#leadership;
    if (state === 'uploading')
      return 'the own folder of this leader is being filled: nothing counts as replicated yet';
    return this.isHeld && reason !== undefined
      ? `the record of the leader cannot be read: ${reason}`
      : undefined;
  }

  /** What is wrong with the other system, as far as is known. */
  get peerTroubles(): readonly Trouble[] {
    const { problem, said } = this.#leadership.peer ?? {};
    if (problem !== undefined) return [{ name: 'peer', reason: `the other system: ${problem}` }];
    if (said?.heldBackBecause === undefined) return [];
    return [{ name: 'standby', reason: `${said.name} would not take over: ${said.heldBackBecause}` }];
  }

  readonly waitsForOther = false;

  /** Connects the system that leads from now on. */
  lead(led: Led): void {
    this.#led = led;
    led.onDeadline(this.#deadlineMs);
  }

  /** Resolves when the process runs. @throws Failure why it cannot */
  async contend(): Promise<void> {
    this.slot.start();
    await this.slot.ready();
  }

  /**
   * Resolves when this system is to lead, with its state then. While it is suspended, it is not known whether it leads.
   * @throws Failure fenced, history_unsettled; not_ready when it is stopped
   */
  async leads(): Promise<Leadership> {
    for (;;) {
      await this.#until(() => this.isHeld && this.#leadership.state !== 'suspended');
      this.demand();
      const leadership = this.#leadership;
      if (leadership.state !== 'suspended') return leadership;
    }
  }

  /** The databases are here, as they were in the folder that the record names. */
  restored(): void {
    this.#isRestored = true;
    this.#send({ kind: 'databases-restored' });
  }

  /** Resolves when the writer may commit. */
  async start(): Promise<void> {
    this.#isShipped = false;
    this.demand();
    await this.#until(() => this.#deadlineMs > monotonicNowMs());
    this.demand();
  }

  async settled(): Promise<void> {
    this.demand();
  }

  demand(): void {
    if (this.failure) throw this.failure;
  }

  async check(): Promise<void> {
    const heard = this.#heard;
    this.#send({ kind: 'renew' });
    await this.#until(() => this.#heard > heard, CHECK_MS);
    this.demand();
  }

  /** Always true: the process itself looks at the record, and reports by `counted` what it has found. */
  async isRecorded(): Promise<boolean> {
    return true;
  }

  migrated(schema: Schema, needs: Schema | undefined): void {
    this.#positions.migrated(schema, needs);
  }

  /**
   * Resolves when the record names the migrations that are about to be applied, so that no system takes over whose code
   * cannot live with them.
   * @throws Failure not_ready when the record cannot be written now
   */
  async announce(schema: Schema, needs: Schema): Promise<void> {
    const positions = this.#positions.announced(schema, needs);
    const isTold = () => {
      const { told } = this.#leadership;
      return isIn(positions.schema, told?.schema) && isIn(positions.needs, told?.needs);
    };
    this.#send({ kind: 'announced', ...positions });
    await this.#until(isTold, ANNOUNCE_MS);
    this.demand();
    if (!isTold())
      throw new Failure(
        'not_ready',
        'The record of the leader could not be told of the migrations in time: see whether the store answers, and try again',
      );
  }

  told(reports: Readonly<Record<string, LagReport>>): void {
    this.#positions.told(reports);
  }

  /** Litestream has uploaded this: the process finds out whether it counts. */
  uploaded(confirmation: Confirmation): void {
    const wasCovered = this.#isCovered;
    this.#uploaded.set(confirmation.database, confirmation);
    this.#send({ kind: 'uploaded', ...confirmation });
    if (!wasCovered && this.#isCovered) this.#send({ kind: 'epoch-covered' });
  }

  /** What a takeover would restore was restored, and this code's migrations were tried on it. */
  rehearsed(rehearsal: Rehearsal): void {
    this.#rehearsal = rehearsal;
    this.#send({ kind: 'rehearsed', rehearsal });
  }

  /** Nothing is committed any more, and the replica has every commit: the next leader need not wait. */
  shipped(): void {
    this.#isShipped = true;
  }

  /** This system answers requests from now on. */
  serving(): void {
    this.#isServing = true;
    this.#send({ kind: 'serving' });
  }

  /**
   * Asks the other system for its state.
   * @returns what it answers
   * @throws Failure usage where the settings name no other system; not_ready when it cannot be asked
   */
  async askPeer(): Promise<PeerState> {
    if (this.#deployment.config.PEER_URL === undefined)
      throw new Failure(
        'usage',
        'The other system cannot be asked: set PEER_URL, PEER_LISTEN and PEER_SECRET',
      );
    const asked = this.#asked;
    const isAsked = () => this.#asked > asked;
    this.#send({ kind: 'ask-peer' });
    await this.#until(isAsked, PEER_MS);
    const { peer } = this.#leadership;
    if (isAsked() && peer?.said) return peer.said;
    throw new Failure('not_ready', `The other system: ${peer?.problem ?? 'it has not answered in time'}`);
  }

  /**
   * @returns the other system, which would take over now
   * @throws Failure usage, not_ready: why it would not take over, or why this system has nothing to hand over
   */
  async successor(): Promise<PeerState> {
    const peer = await this.askPeer();
    const { state, reason } = this.#leadership;
    if (state !== 'leader' || reason !== undefined)
      throw new Failure(
        'not_ready',
        `This system cannot hand over now: ${reason ?? `it is ${state}`}. Nothing was changed.`,
      );
    if (peer.state !== 'standby')
      throw new Failure(
        'not_ready',
        `${peer.name} does not stand by: it is ${peer.state}. Nothing was changed.`,
      );
    if (peer.heldBackBecause !== undefined)
      throw new Failure(
        'not_ready',
        `${peer.name} would not take over: ${peer.heldBackBecause}. Nothing was changed.`,
      );
    return peer;
  }

  /**
   * Offers the record to the other system. Before that, commits are held, and the replica has every commit.
   * @returns whether it was taken. If not, this system leads on, or is suspended where that is not known yet
   * @throws Failure fenced when another system has the record after all
   */
  async offer(): Promise<boolean> {
    const isTaken = () => this.#leadership.state === 'demoted';
    const endMs = performance.now() + RELEASE_MS + TAKE_MS;
    this.#send({ kind: 'release', isOffered: true });
    while (performance.now() < endMs) {
      await this.#until(isTaken, ASK_AGAIN_MS);
      if (isTaken()) return true;
      this.#send({ kind: 'ask-peer' });
    }
    this.#send({ kind: 'reclaim' });
    // Where the store does not answer, do not wait any longer: the caller tells so.
    await this.#until(() => isTaken() || this.#deadlineMs > monotonicNowMs(), RECLAIM_MS);
    this.demand();
    return isTaken();
  }

  set isHandingOver(isHandingOver: boolean) {
    this.#isHandingOver = isHandingOver;
    this.#changed();
  }

  /** Keep the record at a stop. */
  keep(): void {
    this.#isKept = true;
  }

  async stop(cause: string, last?: LeasePositions['last']): Promise<void> {
    const { slot } = this;
    if (slot.state === 'stopped') return;
    this.#positions.stopped(last);
    if (this.#isShipped && !this.#isKept && slot.child?.isReachable) {
      this.#send({ kind: 'release' });
      await this.#until(() => !this.isHeld, RELEASE_MS).catch(() => {});
    }
    this.#expiry?.cancel();
    await slot.stop(drainTimeoutMsOf(PROCESSES.contender, slot.deployment.config), cause);
    this.#changes.announce();
  }

  get #input(): ContenderInput {
    const { release, config } = this.#deployment;
    const { LEASE_TTL_MS, PEER_URL, peerListen } = config;
    return {
      session: this.#session,
      pid: process.pid,
      ttlMs: LEASE_TTL_MS,
      release: release.hash,
      isResumed: this.#hasHeld,
      takeOver: this.#hasHeld ? undefined : this.#takeOver,
      peerUrl: PEER_URL,
      peerListen,
    };
  }

  get #deadlineMs(): number {
    return this.#leadership.commitUntilMonotonicMs ?? 0;
  }

  get #isCovered(): boolean {
    return this.#deployment.databases.every((database) => this.#uploaded.has(database));
  }

  /** Tells a new process in the slot what the previous one was told. */
  #brief(): void {
    this.#send(this.#positions.message);
    if (this.#isServing) this.#send({ kind: 'serving' });
    if (this.#rehearsal) this.#send({ kind: 'rehearsed', rehearsal: this.#rehearsal });
    for (const confirmation of this.#uploaded.values()) this.#send({ kind: 'uploaded', ...confirmation });
  }

  #send(message: Parameters<NonNullable<Slot['child']>['send']>[0]): void {
    if (this.slot.child?.isReachable) this.slot.child.send(message);
  }

  #hear(leadership: Leadership): void {
    this.#send({ kind: 'heard' });
    if (this.failure) return;
    const { state: before, ...shown } = this.#leadership;
    this.#leadership = leadership;
    this.#heard += 1;
    this.#hasHeld ||= this.isHeld;
    const { state } = leadership;
    // A process that was killed in between does not remember it.
    if (state === 'restoring' && this.#isRestored) this.#send({ kind: 'databases-restored' });
    if (state === 'uploading' && before !== 'uploading' && this.#isCovered)
      this.#send({ kind: 'epoch-covered' });
    this.#led?.onDeadline(this.#deadlineMs);
    this.#watchDeadline();
    this.#changes.announce();
    if (this.failure) this.#led?.onLost(this.failure);
    const { reason, holder, held, heldBackBecause, peer } = leadership;
    const isOther =
      reason !== shown.reason ||
      holder !== shown.holder ||
      heldBackBecause !== shown.heldBackBecause ||
      !isDeepStrictEqual(held, shown.held) ||
      peer?.problem !== shown.peer?.problem ||
      peer?.said?.heldBackBecause !== shown.peer?.said?.heldBackBecause;
    if (state !== before || isOther) this.#changed();
  }

  /** The end of the deadline is no message, so a timer tells of it. */
  #watchDeadline(): void {
    this.#expiry?.cancel();
    const leftMs = this.#deadlineMs - monotonicNowMs();
    this.#expiry = leftMs > 0 ? processClock.after(leftMs + 1, () => this.#changed()) : undefined;
  }

  #changed(): void {
    this.#onChange();
    this.#led?.onChange();
  }

  /** Resolves when the condition is met, at a failure, or after `timeoutMs`. @throws Failure not_ready at a stop */
  async #until(condition: () => boolean, timeoutMs?: number): Promise<void> {
    const demandGoingOn = () => {
      if (this.slot.state === 'stopping' || this.slot.state === 'stopped')
        throw new Failure('not_ready', 'Stopped while it was found out which system leads');
    };
    const isOver = () => condition() || this.failure !== undefined;
    await this.#changes.until(isOver, { demandGoingOn, timeoutMs });
  }
}

/** @returns whether the other schema has each migration of the first, or a newer one of the same owner */
function isIn(one: Schema = {}, other: Schema = {}): boolean {
  return Object.entries(one).every(([database, owners]) =>
    Object.entries(owners).every(([owner, number]) => number <= (other[database]?.[owner] ?? 0)),
  );
}

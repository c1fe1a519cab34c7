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
/** What giving the record away may take: a look and a write. */
const RELEASE_MS = 3000;
/** The other system looks at the record when it is asked. */
const TAKE_MS = 5000;
const RECLAIM_MS = 3000;
const ASK_AGAIN_MS = 200;
const PEER_MS = 3000;
const ANNOUNCE_MS = 5000;

/** A system that leads, as far as its place is concerned. */
export interface Led {
  /** These are replicated from now on. */
  readonly onCounted: (confirmation: Confirmation) => void;
  /** Until when its writer may commit; 0 when it may not. */
  readonly onDeadline: (monotonicMs: number) => void;
  /** It leads no more. */
  readonly onLost: (failure: Failure) => void;
  readonly onChange: () => void;
}

/**
 * The process that contends for this system, in its place, and what it has found. States are the contender's, moved by its
 * messages; what the primary has done about them (the databases are restored, its folder is covered, nothing more is to be
 * shipped) is told again to each process in the place, which goes on with the same session.
 */
export class ContenderPlace implements ReplicaOwner {
  readonly slot: Slot;
  readonly #deployment: Deployment;
  readonly #session = randomUUID();
  #leadership: Leadership = { state: 'standby' };
  #led: Led | undefined;
  #heard = 0;
  /** How often the other system was asked, to an end. */
  #asked = 0;
  #hasHeld = false;
  #isRestored = false;
  #rehearsal: Rehearsal | undefined;
  #isShipped = false;
  /** Requests wait for the other system: that nothing may be committed is as it should be. */
  #isHandingOver = false;
  #isServing = false;
  #isKept = false;
  /** What Litestream has uploaded last of each database, whether or not it counts yet. */
  readonly #uploaded = new Map<string, Confirmation>();
  readonly #changes = new Changes();
  readonly #positions = new RecordPositions((message) => this.#send(message));
  /** When the time of its writer ends: who does not hear of a renewal has none. */
  #expiry: ReturnType<Clock['after']> | undefined;
  readonly #onChange: () => void;
  readonly #takeOver: string | undefined;

  /**
   * @param deployment whose replica is the one that both systems share
   * @param takeOver the folder to go on from where there is no record
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

  /** The folder that counts, where that is its own; undefined before it is. */
  get countingFolder(): string | undefined {
    const { epoch, data } = this.#leadership;
    return epoch !== undefined && data === epochFolder(epoch) ? data : undefined;
  }

  /** Why nothing may be committed now, though it leads as far as it knows; undefined when it may. */
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

  /** What is out of order with the other system, as far as that says it. */
  get peerTroubles(): readonly Trouble[] {
    const { problem, said } = this.#leadership.peer ?? {};
    if (problem !== undefined) return [{ name: 'peer', reason: `the other system: ${problem}` }];
    if (said?.heldBackBecause === undefined) return [];
    return [{ name: 'standby', reason: `${said.name} would not take over: ${said.heldBackBecause}` }];
  }

  readonly waitsForOther = false;

  /** The system that leads from now on. */
  lead(led: Led): void {
    this.#led = led;
    led.onDeadline(this.#deadlineMs);
  }

  /** Resolves when its process runs. @throws Failure why it cannot */
  async contend(): Promise<void> {
    this.slot.start();
    await this.slot.ready();
  }

  /**
   * Resolves when this system is to lead, with what it is then. One that is suspended has yet to find out whether it still is.
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

  /** The databases are there, as the folder had them that the record names. */
  restored(): void {
    this.#isRestored = true;
    this.#send({ kind: 'databases-restored' });
  }

  /** Resolves when its writer may commit. */
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

  /** Its process looks for that, and says by `counted` what it has found. */
  async isRecorded(): Promise<boolean> {
    return true;
  }

  migrated(schema: Schema, needs: Schema | undefined): void {
    this.#positions.migrated(schema, needs);
  }

  /**
   * Resolves when the record says what the databases are about to have, so that nobody takes over who cannot live with it.
   * @throws Failure not_ready when it cannot be written now
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

  /** Litestream has uploaded this: its process finds out whether it counts. */
  uploaded(confirmation: Confirmation): void {
    const wasCovered = this.#isCovered;
    this.#uploaded.set(confirmation.database, confirmation);
    this.#send({ kind: 'uploaded', ...confirmation });
    if (!wasCovered && this.#isCovered) this.#send({ kind: 'epoch-covered' });
  }

  /** What the standby has was restored, and its code's migrations were tried on that. */
  rehearsed(rehearsal: Rehearsal): void {
    this.#rehearsal = rehearsal;
    this.#send({ kind: 'rehearsed', rehearsal });
  }

  /** Nothing is committed any more, and the replica has all: whoever takes over need not wait. */
  shipped(): void {
    this.#isShipped = true;
  }

  /** This system answers requests. */
  serving(): void {
    this.#isServing = true;
    this.#send({ kind: 'serving' });
  }

  /**
   * Asks the other system how it is.
   * @returns what it says
   * @throws Failure usage where the settings name none; not_ready when it cannot be asked
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
   * @throws Failure usage, not_ready: why it would not, or this one has nothing to give
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
   * Gives the record to whoever takes it now. Before that nothing is committed any more, and the replica has all.
   * @returns whether somebody has taken it; else this system leads on, suspended where it is not known yet
   * @throws Failure fenced when another has it after all
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
    // Where the store does not answer, whoever waits here is told so meanwhile.
    await this.#until(() => isTaken() || this.#deadlineMs > monotonicNowMs(), RECLAIM_MS);
    this.demand();
    return isTaken();
  }

  set isHandingOver(isHandingOver: boolean) {
    this.#isHandingOver = isHandingOver;
    this.#changed();
  }

  /** It is not given away at a stop. */
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

  /** Tells a process in the place what the one before it was told. */
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
    // A process that was killed in between has not kept it.
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

  /** Nobody says that a time has passed. */
  #watchDeadline(): void {
    this.#expiry?.cancel();
    const leftMs = this.#deadlineMs - monotonicNowMs();
    this.#expiry = leftMs > 0 ? processClock.after(leftMs + 1, () => this.#changed()) : undefined;
  }

  #changed(): void {
    this.#onChange();
    this.#led?.onChange();
  }

  /** Resolves also when there is a failure, or that takes too long. @throws Failure not_ready when it is stopped */
  async #until(condition: () => boolean, timeoutMs?: number): Promise<void> {
    const demandGoingOn = () => {
      if (this.slot.state === 'stopping' || this.slot.state === 'stopped')
        throw new Failure('not_ready', 'Stopped while it was found out which system leads');
    };
    const isOver = () => condition() || this.failure !== undefined;
    await this.#changes.until(isOver, { demandGoingOn, timeoutMs });
  }
}

/** @returns whether the other one names each migration of the one, or a newer one of the same owner */
function isIn(one: Schema = {}, other: Schema = {}): boolean {
  return Object.entries(one).every(([database, owners]) =>
    Object.entries(owners).every(([owner, number]) => number <= (other[database]?.[owner] ?? 0)),
  );
}

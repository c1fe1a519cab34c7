import { EventEmitter } from 'node:events';
import { type Code, Failure, isCode } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Child, ChildState } from './child.ts';
import { type ChildExit, describeExit } from './child-exit.ts';
import { type Clock, processClock, type Timer } from './clock.ts';
import type { ProcessSpec } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import type { Restart, RestartPolicy } from './restart-policy.ts';
import { demandTransition, type Transitions } from './transitions.ts';

export type SlotState =
  | 'stopped'
  | 'starting'
  | 'serving'
  | 'exchanging'
  | 'backing-off'
  | 'broken'
  | 'stopping';

export const SLOT_TRANSITIONS: Transitions<SlotState> = {
  stopped: ['starting'],
  starting: ['serving', 'exchanging', 'backing-off', 'broken', 'stopping'],
  serving: ['starting', 'exchanging', 'backing-off', 'broken', 'stopping'],
  exchanging: ['starting', 'serving', 'backing-off', 'broken', 'stopping'],
  'backing-off': ['starting', 'exchanging', 'stopping'],
  broken: ['starting', 'exchanging', 'stopping'],
  stopping: ['stopped'],
};

export interface SlotOptions {
  readonly name: string;
  /** What the first child is made from. */
  readonly deployment: Deployment;
  /** @param isToStandBy whether the child shall load and then wait for `activate` */
  readonly spawn: (deployment: Deployment, isToStandBy: boolean) => Child;
  readonly handover: Exclude<ProcessSpec['handover'], 'none'>;
  /** How long the old child may take to finish when a child of this deployment takes over. */
  readonly exchangeTimeoutMs: (deployment: Deployment) => number;
  readonly policy: RestartPolicy;
  /** Whether no other child does this slot's work while its own is away. */
  readonly isAlone?: () => boolean;
  /** A child that stayed ready this long has its restart record reset. */
  readonly resetAfterMs: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** How a child is exchanged for another. */
export interface Replacement {
  /** What the next child is made from; the slot's own deployment when left out. */
  readonly deployment?: Deployment;
  readonly cause: string;
}

/**
 * A replacement under way. Phases: the next child loads (`next`) → only where there may be but one child: the old one
 * goes (`isHandingOver`), and once it has gone the next one is started or activated → the next child is ready, or has
 * failed.
 */
interface Exchange extends Required<Replacement> {
  /** How long the old child may take to finish. */
  readonly drainTimeoutMs: number;
  next: Child | undefined;
  isHandingOver: boolean;
  /** Why the next child did not come up, while the old one, which was told to end, has not ended yet. */
  failure: Failure | undefined;
  /** Resolves to the old child, which may still drain. */
  readonly done: PromiseWithResolvers<Child | undefined>;
}

interface SlotEvents {
  /** A child was made; it is starting. */
  child: [child: Child];
  /** Anything that `/ready` or a person would want to know has changed. */
  change: [];
  /** A child ended; `restart` is undefined when the slot does not restart it for that. */
  death: [exit: ChildExit, restart: Restart | undefined];
  /** The child that replaces a dead one is ready. */
  restarted: [child: Child];
  /** A child was exchanged for another. */
  replaced: [child: Child, old: Child | undefined, cause: string];
}

/**
 * The place of one child in the tree. It keeps the place filled, from the deployment that serves. States and who moves
 * them: stopped → starting (`start`) → serving (its child is ready) → backing-off (its child died) → starting (timer).
 * Broken instead of backing-off when the policy's breaker is open, with a slow timer. Any of these but stopped →
 * exchanging (`replace`) → serving (the next child is ready), or the state without the exchange (the next child
 * failed). A child that dies during an exchange is restarted as always. Any → stopping (`retire`, `stop`) → stopped
 * (all are dead).
 */
export class Slot extends EventEmitter<SlotEvents> {
  readonly name: string;
  readonly #options: SlotOptions;
  readonly #clock: Clock;
  #deployment: Deployment;
  #state: SlotState = 'stopped';
  #child: Child | undefined;
  #exchange: Exchange | undefined;
  /** Children that are neither the slot's child nor its next one any more, and have not ended. */
  readonly #leaving = new Set<Child>();
  /** Starts the next child. */
  #timer: Timer | undefined;
  #resetTimer: Timer | undefined;
  #restarts = 0;
  #lastExit: ChildExit | undefined;

  constructor(options: SlotOptions) {
    super();
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? processClock;
    this.#deployment = options.deployment;
  }

  get state(): SlotState {
    return this.#state;
  }

  /** What crash replacements are made from: the deployment of the child that took over last. */
  get deployment(): Deployment {
    return this.#deployment;
  }

  get child(): Child | undefined {
    return this.#child;
  }

  get childState(): ChildState {
    return this.#child?.state ?? 'dead';
  }

  get isReady(): boolean {
    return this.#child?.state === 'ready';
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** How the last child ended; undefined when none has. */
  get lastExit(): ChildExit | undefined {
    return this.#lastExit;
  }

  /** Whether it failed so often that it is retried slowly; also true during such a retry. */
  get breakerOpen(): boolean {
    return this.#options.policy.breakerOpen;
  }

  /** Why it does not serve, in words; undefined when it does. */
  get trouble(): string | undefined {
    if (this.isReady) return this.#child?.reportedTrouble;
    // A first start is no trouble.
    if (this.childState === 'starting' && !this.#lastExit) return undefined;
    const last = this.#lastExit ? ` after ${describeExit(this.#lastExit)}` : '';
    if (this.#state === 'broken') return `failing again and again${last}; tried again slowly`;
    if (this.#state === 'backing-off') return `waiting to restart${last}`;
    if (this.#state === 'stopped') return 'stopped';
    return `${this.childState}${last}`;
  }

  /** Why it will hardly serve for long, in words; undefined when it may, and when it does not serve. */
  get instability(): string | undefined {
    if (!this.isReady || !this.breakerOpen || !this.#lastExit) return undefined;
    return `serves again, and is failing again and again: ${describeExit(this.#lastExit)}`;
  }

  start(): void {
    this.#move('starting');
    this.#spawn(false);
  }

  /** Asks the child to finish. From now on it is not replaced when it ends. Past the deadline it is killed. */
  retire(timeoutMs: number, cause: string): void {
    if (this.#state === 'stopped' || this.#state === 'stopping') return;
    this.#resetTimer?.cancel();
    this.#move('stopping');
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.done.reject(new Failure('not_ready', `${this.name} is being stopped`));
    this.#timer?.cancel();
    this.#timer = undefined;
    // These have the deadline of their exchange, which may be later than this one.
    for (const child of this.#leaving) child.drain(timeoutMs, cause);
    if (exchange?.next && exchange.next.state !== 'dead') {
      this.#leaving.add(exchange.next);
      exchange.next.kill(cause);
    }
    this.#child?.drain(timeoutMs, cause);
    this.#settleStop();
  }

  /** Ends the child for good, gracefully until the deadline. Resolves when all children of the slot are dead. */
  async stop(timeoutMs: number, cause: string): Promise<void> {
    this.retire(timeoutMs, cause);
    await this.stopped();
  }

  /** Resolves when it is stopped. */
  async stopped(): Promise<void> {
    await this.#wait(() => this.#state === 'stopped');
  }

  /**
   * Replaces the child without a gap in service. Resolves when the next child serves; its deployment is then the
   * slot's. When it does not come up, the old child and its deployment stay.
   *
   * @returns the old child, which may drain for as long as a request may take; undefined when there was none
   * @throws Failure why the next child did not come up, or not_ready when the slot is stopped or exchanges already
   */
  async replace({ deployment = this.#deployment, cause }: Replacement): Promise<Child | undefined> {
    if (!SLOT_TRANSITIONS[this.#state].includes('exchanging')) {
      const reason = this.#exchange ? 'it is being replaced' : this.#state;
      throw new Failure('not_ready', `${this.name} cannot be replaced now: ${reason}`);
    }
    const done = Promise.withResolvers<Child | undefined>();
    const exchange: Exchange = {
      deployment,
      drainTimeoutMs: this.#options.exchangeTimeoutMs(deployment),
      cause,
      next: undefined,
      isHandingOver: false,
      failure: undefined,
      done,
    };
    this.#exchange = exchange;
    this.#move('exchanging');
    if (this.#options.handover === 'gap') this.#handOver(exchange);
    else this.#spawnNext(exchange);
    return done.promise;
  }

  /**
   * Resolves when the child is ready.
   * @throws Failure what the child said of itself when a retry cannot help, as `failureOf` when the breaker opens,
   *   not_ready when the slot is stopped
   */
  async ready(): Promise<void> {
    let failure: Failure | undefined;
    const onDeath = (exit: ChildExit, restart: Restart | undefined) => {
      failure ??= finalFailure(exit);
      if (restart?.breakerOpen) failure ??= failureOf(exit, `${this.name} ${exit.cause}`);
    };
    this.on('death', onDeath);
    await this.#wait(() => {
      if (this.#state === 'stopping' || this.#state === 'stopped')
        failure ??= new Failure('not_ready', `${this.name} is being stopped`);
      return failure !== undefined || this.isReady;
    });
    this.off('death', onDeath);
    if (failure) throw failure;
  }

  async #wait(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const onChange = () => {
        if (!condition()) return;
        this.off('change', onChange);
        resolve();
      };
      this.on('change', onChange);
    });
  }

  /** @param isRestart whether the child replaces one that died */
  #spawn(isRestart: boolean): void {
    this.#timer = undefined;
    const child = this.#options.spawn(this.#deployment, false);
    this.#adopt(child);
    child.once('ready', () => {
      this.#options.log.info(
        { child: this.name, childPid: child.pid, startMs: Math.round(child.ageMs) },
        `${this.name} ready`,
      );
      if (isRestart) this.emit('restarted', child);
    });
    child.once('exit', (exit) => this.#onExit(child, exit));
    this.emit('child', child);
    this.emit('change');
  }

  /** Makes it the slot's child: from now on its state moves the slot. */
  #adopt(child: Child): void {
    this.#child = child;
    const resetLater = () => {
      if (child !== this.#child || this.#state === 'stopping') return;
      this.#resetTimer?.cancel();
      this.#resetTimer = this.#clock.after(this.#options.resetAfterMs, () => {
        this.#options.policy.reset();
        this.emit('change');
      });
    };
    if (child.state === 'ready') resetLater();
    else child.once('ready', resetLater);
    child.on('state', (state) => {
      if (child === this.#child && state === 'ready' && this.#state === 'starting') this.#move('serving');
      this.emit('change');
    });
  }

  #spawnNext(exchange: Exchange): void {
    const isToStandBy = this.#options.handover === 'standby';
    const next = this.#options.spawn(exchange.deployment, isToStandBy);
    exchange.next = next;
    next.on('state', (state) => {
      if (exchange !== this.#exchange || next !== exchange.next) return;
      if (state === 'standby') this.#handOver(exchange);
      if (state === 'ready') this.#takeOver(exchange, next);
    });
    next.once('exit', (exit) => {
      if (exchange === this.#exchange && next === exchange.next) this.#onNextExit(exchange, exit);
      else this.#onExit(next, exit);
    });
    this.emit('child', next);
    this.emit('change');
  }

  /** There may be but one child: the old one goes first. It is killed when it says that it has decided all it had. */
  #handOver(exchange: Exchange): void {
    const { drainTimeoutMs, cause } = exchange;
    exchange.isHandingOver = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    const old = this.#child;
    if (!old || old.state === 'dead') {
      this.#oldIsGone(exchange);
      return;
    }
    old.on('message', ({ kind }) => {
      if (kind === 'drained' && exchange === this.#exchange) old.kill(cause);
    });
    old.drain(drainTimeoutMs, cause);
  }

  /** Between the old child's last decision and the next one's first, no child serves: clients hold their requests. */
  #oldIsGone(exchange: Exchange): void {
    if (exchange.failure) this.#fail(exchange, exchange.failure);
    else if (exchange.next) exchange.next.activate({ name: this.name });
    else this.#spawnNext(exchange);
  }

  #takeOver({ deployment, drainTimeoutMs, cause, done }: Exchange, next: Child): void {
    const old = this.#child;
    this.#exchange = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#resetTimer?.cancel();
    this.#deployment = deployment;
    this.#adopt(next);
    this.#move('serving');
    this.#options.log.info(
      { child: this.name, childPid: next.pid, oldPid: old?.pid, cause },
      `${this.name} ready, replaces ${old?.pid}: ${cause}`,
    );
    this.emit('replaced', next, old, cause);
    if (old && old.state !== 'dead') {
      this.#leaving.add(old);
      old.drain(drainTimeoutMs, cause);
    }
    done.resolve(old);
  }

  #onNextExit(exchange: Exchange, exit: ChildExit): void {
    const failure = failureOf(exit, `the new ${this.name} did not come up: ${exit.cause}`);
    exchange.next = undefined;
    const isOldGoing = exchange.isHandingOver && this.#child !== undefined && this.childState !== 'dead';
    if (isOldGoing) exchange.failure = failure;
    else this.#fail(exchange, failure);
    this.emit('death', exit, undefined);
    this.emit('change');
  }

  /** The slot goes on as if there had been no exchange. */
  #fail(exchange: Exchange, failure: Failure): void {
    this.#exchange = undefined;
    if (this.isReady) this.#move('serving');
    else if (this.childState !== 'dead') this.#move('starting');
    else if (this.#timer) this.#move(this.breakerOpen ? 'broken' : 'backing-off');
    else {
      this.#move('starting');
      this.#spawn(true);
    }
    exchange.done.reject(failure);
  }

  #onExit(child: Child, exit: ChildExit): void {
    this.#leaving.delete(child);
    if (child !== this.#child) {
      this.emit('death', exit, undefined);
      this.#settleStop();
      return;
    }
    this.#resetTimer?.cancel();
    this.#lastExit = exit;
    if (this.#state === 'stopping') {
      this.#options.log.info({ child: this.name, childPid: child.pid }, `${this.name} stopped`);
      this.emit('death', exit, undefined);
      this.#settleStop();
    } else if (this.#exchange?.isHandingOver) {
      this.emit('death', exit, undefined);
      this.#oldIsGone(this.#exchange);
    } else this.#restart(child, exit);
    this.emit('change');
  }

  #restart(child: Child, exit: ChildExit): void {
    const { policy, isAlone } = this.#options;
    const restart = policy.afterDeath(exit.readyForMs, exit.endedBy === 'fault', isAlone?.());
    const { delayMs, breakerOpen } = restart;
    this.#restarts += 1;
    const next = breakerOpen ? 'breaker open, next try' : 'next start';
    const fields = {
      child: this.name,
      childPid: child.pid,
      cause: exit.cause,
      readyForMs: Math.round(exit.readyForMs),
      restartInMs: delayMs,
      restarts: this.#restarts,
    };
    const isMeant = exit.endedBy === 'us';
    const text = `${this.name} ${isMeant ? 'was ended' : 'died'}: ${exit.cause}; ${next} in ${delayMs} ms`;
    this.#options.log[isMeant ? 'info' : 'error'](fields, text);
    // A timer runs a turn later at the earliest; a replacement that is due now should not wait for one.
    if (delayMs === 0) this.#refill();
    else {
      if (!this.#exchange) this.#move(breakerOpen ? 'broken' : 'backing-off');
      this.#timer = this.#clock.after(delayMs, () => this.#refill());
    }
    this.emit('death', exit, restart);
  }

  #refill(): void {
    if (!this.#exchange && this.#state !== 'starting') this.#move('starting');
    this.#spawn(true);
  }

  #settleStop(): void {
    if (this.#state !== 'stopping' || this.childState !== 'dead' || this.#leaving.size > 0) return;
    this.#move('stopped');
    this.emit('change');
  }

  #move(state: SlotState): void {
    demandTransition(SLOT_TRANSITIONS, this.#state, state, `the slot ${this.name}`);
    this.#state = state;
  }
}

/** Codes of failures that may pass, or that say nothing about the cause. */
const NOT_FINAL: ReadonlySet<Code> = new Set(['internal', 'child_failed', 'not_ready']);

/** @returns the failure that the child reported, when a restart cannot change it */
export function finalFailure(exit: ChildExit): Failure | undefined {
  const { failure } = exit;
  if (!failure || !isCode(failure.code) || NOT_FINAL.has(failure.code)) return;
  return new Failure(failure.code, failure.message);
}

/**
 * @param told that the child has ended, and why, for people
 * @returns the failure that the child reported, where that is final; not_ready when its code is not to blame; else
 *   child_failed
 */
export function failureOf(exit: ChildExit, told: string): Failure {
  const final = finalFailure(exit);
  if (final) return final;
  const isBystander = exit.endedBy === 'outside' || exit.failure?.code === 'not_ready';
  return new Failure(isBystander ? 'not_ready' : 'child_failed', told);
}

import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { Server, Socket } from 'node:net';
import type { ToChild, ToPrimary, UnnamedProxy } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import { type ChildExit, type Ending, endingOf } from './child-exit.ts';
import { type Clock, processClock, type Timer } from './clock.ts';
import { STACK_TIMEOUT_MS, stackOfHung } from './hung-stack.ts';
import type { Limits } from './limits.ts';
import { checkedMessage } from './message-check.ts';
import { FLOOD, MessageQuota } from './message-quota.ts';
import type { ProcessSpec } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import { SilenceWatch } from './silence-watch.ts';
import { demandTransition, type Transitions } from './transitions.ts';

/** A child keeps its drain deadline itself. A child that is this much past it cannot, and is killed. */
const DRAIN_GRACE_MS = 250;
/** A killed child is gone at once, unless the kernel waits for a device; its code does not run any more either way. */
const KILLED_GRACE_MS = 5000;

export type ChildState = 'starting' | 'standby' | 'ready' | 'draining' | 'stopping' | 'dead';

export const CHILD_TRANSITIONS: Transitions<ChildState> = {
  starting: ['standby', 'ready', 'draining', 'stopping', 'dead'],
  standby: ['starting', 'stopping', 'dead'],
  ready: ['draining', 'stopping', 'dead'],
  draining: ['stopping', 'dead'],
  stopping: ['dead'],
  dead: [],
};

export interface ChildOptions extends Pick<ProcessSpec, 'drainBy'> {
  readonly name: string;
  /** What it is made from. */
  readonly deployment: Deployment;
  /** Starts the process. An error that it throws counts as the end of the child. */
  readonly spawn: () => ChildProcess;
  /** Whether the child was told to load, and then to wait for `activate`. */
  readonly isToStandBy?: boolean;
  readonly startTimeoutMs: number;
  /** A ready child that is silent for so long counts as hung; 0 for a child that does not beat. */
  readonly silenceTimeoutMs: number;
  /** How long a hung child may take to give its stack. */
  readonly stackTimeoutMs?: number;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The machine's limits, which may have ended the child where the primary has not. */
  readonly limits?: Limits;
}

/** The place that a waiting child is given. */
export interface Activation {
  readonly name: string;
  /** The input of its role; JSON. */
  readonly input?: unknown;
  /** How long it may take to be ready from now on; the start timeout by default. */
  readonly readyTimeoutMs?: number;
}

interface ChildEvents {
  ready: [];
  message: [message: ToPrimary];
  state: [state: ChildState];
  /** It is dead, and every message that it sent was received. */
  close: [];
  exit: [exit: ChildExit];
}

/**
 * One incarnation of a child process. States and who moves them: starting → ready (it says so) → draining (`drain`) →
 * dead (it exited). A child that was told to wait: starting → standby (it says that it has loaded) → starting
 * (`activate`) → ready. Any → stopping (`kill`, `fault`, or a deadline passed) → dead. No child leaves draining,
 * stopping or dead for an earlier state.
 */
export class Child extends EventEmitter<ChildEvents> {
  readonly deployment: Deployment;
  #name: string;
  readonly #options: ChildOptions;
  readonly #clock: Clock;
  readonly #silence: SilenceWatch;
  readonly #quota = new MessageQuota();
  readonly #process: ChildProcess | undefined;
  #state: ChildState = 'starting';
  #startedMs: number;
  #readyAtMs: number | undefined;
  /** Why the primary ends it; the first cause counts. Undefined while the primary has not ended it. */
  #ending: Ending | undefined;
  /** Its place, from `activate` on. */
  #activation: Activation | undefined;
  #failure: ChildExit['failure'];
  #startTimer: Timer | undefined;
  /** Kills a child that drains too slowly. After the kill: gives up waiting for its end. */
  #endTimer: Timer | undefined;
  #drainedByMs = 0;
  /** It has begun a step that may block for any time, such as a migration, and has not beaten since. */
  #isInStep = false;
  /** It has sent what is not allowed. Only its `accepted` still counts, lest a connection be served twice. */
  #isMuted = false;
  rssBytes = 0;
  heapUsedBytes = 0;
  /** Requests that it has served. */
  served = 0;
  /** What it reports, by name. */
  gauges: Readonly<Record<string, number>> = {};
  /** What the person who starts the system should know, as of when this child became ready. */
  notice: string | undefined;
  /** The proxies that it has met and that no setting names. */
  unnamedProxies: readonly UnnamedProxy[] = [];
  /** What it says is wrong; undefined when nothing is. */
  reportedTrouble: string | undefined;

  constructor(options: ChildOptions) {
    super();
    const { name, deployment, clock = processClock } = options;
    this.#name = name;
    this.deployment = deployment;
    this.#options = options;
    this.#clock = clock;
    const { silenceTimeoutMs, startTimeoutMs } = options;
    const onHung = (silentMs: number) => this.#endHung(silentMs);
    this.#silence = new SilenceWatch({ silenceTimeoutMs, startTimeoutMs, clock, onHung });
    this.#startedMs = clock.nowMs();
    this.#restartStartTimer(startTimeoutMs);
    this.#process = this.#spawn();
  }

  get state(): ChildState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get name(): string {
    return this.#name;
  }

  /** It waits, or will wait once it has loaded, so that `activate` can give it a place. */
  get canBeActivated(): boolean {
    const isOnItsWay = this.#state === 'standby' || (this.#state === 'starting' && !this.#isActive);
    return isOnItsWay && this.#isConnected;
  }

  /** Its age since its start, or since `activate`. */
  get ageMs(): number {
    return this.#clock.nowMs() - this.#startedMs;
  }

  /** Ready, and its channel is open: a dead child stays `ready` until the kernel tells of its death. */
  get isReachable(): boolean {
    return this.#state === 'ready' && this.#isConnected;
  }

  /** Gives a waiting child its place; a child that still loads takes it when it has loaded. */
  activate(activation: Activation): void {
    this.#name = activation.name;
    this.#activation = activation;
    this.#startedMs = this.#clock.nowMs();
    if (this.#state === 'standby') this.#takePlace(activation);
    // Nobody has waited for it until now: its start timeout begins anew.
    else this.#restartStartTimer(this.#options.startTimeoutMs);
  }

  /** Marks a child as ready that cannot say so itself. */
  markReady(): void {
    if (this.#state !== 'starting') return;
    this.#startTimer?.cancel();
    this.#readyAtMs = this.#clock.nowMs();
    this.#silence.start();
    this.#move('ready');
    this.emit('ready');
  }

  /**
   * @param handle a socket to go with it; the primary keeps its own copy open
   * @param onError called when the child did not get it
   */
  send(message: ToChild, handle?: Socket, onError?: (error: Error) => void): void {
    if (!this.#process?.connected) {
      onError?.(new Error('the channel is closed'));
      return;
    }
    if (message.kind === 'connection') this.#quota.grantOne();
    this.#process.send(message, handle, { keepOpen: true }, (error) => {
      if (error) onError?.(error);
    });
  }

  /**
   * Asks it to end by itself; past the deadline it is killed. A child with nothing to finish is killed at once. When
   * asked again, it gets the earlier deadline.
   */
  drain(timeoutMs: number, cause: string): void {
    if (this.#state === 'draining') {
      if (this.#clock.nowMs() + timeoutMs < this.#drainedByMs) this.#askToEnd(timeoutMs, cause);
      return;
    }
    if (this.#isEnding) return;
    const { drainBy } = this.#options;
    if (this.#state !== 'ready' && drainBy === 'message') {
      this.kill(cause);
      return;
    }
    this.#startTimer?.cancel();
    this.#ending ??= { endedBy: 'us', cause };
    this.#move('draining');
    this.#askToEnd(timeoutMs, cause);
  }

  /** Ends it by SIGKILL. The first cause given stays. */
  kill(cause: string): void {
    this.#stop({ endedBy: 'us', cause });
  }

  /** The child is at fault: it is killed, and its slot counts it as a fault. */
  fault(cause: string): void {
    this.#stop({ endedBy: 'fault', cause });
  }

  /**
   * @param timeoutMs how long to wait
   * @returns whether it sends a message of this kind from now on; false when it is dead, or sends it too late
   */
  async says(kind: ToPrimary['kind'], timeoutMs: number): Promise<boolean> {
    if (this.#state === 'dead') return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onMessage = (message: ToPrimary) => {
      if (message.kind === kind) resolve(true);
    };
    const onEnd = () => resolve(false);
    this.on('message', onMessage);
    this.once('exit', onEnd);
    const timer = this.#clock.after(timeoutMs, onEnd);
    try {
      return await promise;
    } finally {
      timer.cancel();
      this.off('message', onMessage);
      this.off('exit', onEnd);
    }
  }

  /** Resolves when it is dead. */
  async ended(): Promise<void> {
    if (this.#state !== 'dead') await new Promise<void>((resolve) => this.once('exit', () => resolve()));
  }

  #askToEnd(timeoutMs: number, cause: string): void {
    const { drainBy } = this.#options;
    this.#drainedByMs = this.#clock.nowMs() + timeoutMs;
    if (drainBy === 'message') this.send({ kind: 'drain', timeoutMs });
    else this.#process?.kill(drainBy);
    this.#endTimer?.cancel();
    this.#endTimer = this.#clock.after(timeoutMs + DRAIN_GRACE_MS, () => this.kill(cause));
  }

  get #isConnected(): boolean {
    return this.#process?.connected === true;
  }

  get #isEnding(): boolean {
    return this.#state === 'draining' || this.#state === 'stopping' || this.#state === 'dead';
  }

  /** Whether it may become ready: it has its place, or was never told to wait for one. */
  get #isActive(): boolean {
    return !this.#options.isToStandBy || this.#activation !== undefined;
  }

  #spawn(): ChildProcess | undefined {
    try {
      const child = this.#options.spawn();
      child.on('message', (message: unknown, handle: unknown) => {
        close(handle);
        this.#receive(message);
      });
      // A failed spawn or a closed channel. Where there was a process, 'exit' follows, and tells the cause.
      child.on('error', (error) => {
        this.#options.log.debug({ err: error, child: this.name }, 'child process error');
        if (child.pid === undefined) this.#end(null, null, error);
      });
      // Not 'disconnect', which Node never emits when a handle was on its way to a child that died.
      child.once('close', () => this.emit('close'));
      child.once('exit', (code, signal) => this.#end(code, signal));
      return child;
    } catch (error) {
      // In a later tick: the caller attaches its listeners first, and hears of this end as of any other.
      process.nextTick(() => {
        this.#end(null, null, error as Error);
        this.emit('close');
      });
      return undefined;
    }
  }

  #receive(value: unknown): void {
    this.#silence.heard();
    if (!this.#quota.take(this.#clock.nowMs())) this.#mute(FLOOD);
    const message = checkedMessage(value);
    if (!message) {
      this.#mute('it sent what is no message');
      return;
    }
    if (this.#isMuted && message.kind !== 'accepted') return;
    if (message.kind === 'ready') {
      this.notice = message.notice;
      this.#becomeReady();
    } else if (message.kind === 'standby') this.#standBy();
    else if (message.kind === 'progress') this.#beginStep(message.detail);
    else if (message.kind === 'failed') this.#failure = { code: message.code, message: message.message };
    else if (message.kind === 'beat') {
      this.#endStep();
      this.rssBytes = message.rssBytes;
      this.heapUsedBytes = message.heapUsedBytes;
      this.served = message.served;
    } else if (message.kind === 'report') {
      this.gauges = message.gauges;
      this.reportedTrouble = message.trouble;
      this.unnamedProxies = message.proxies ?? [];
    }
    this.emit('message', message);
  }

  #mute(cause: string): void {
    this.#isMuted = true;
    this.fault(cause);
  }

  /** A step that blocks sends nothing, and has no deadline. After it the start timeout begins anew. */
  #beginStep(detail: string): void {
    if (this.#state !== 'starting') return;
    this.#isInStep = true;
    this.#startTimer?.cancel();
    const { startTimeoutMs, log } = this.#options;
    this.#startTimer = this.#clock.after(startTimeoutMs, () =>
      log.warn(
        { child: this.#name, childPid: this.pid },
        `${this.#name} has been at this for ${startTimeoutMs} ms: ${detail}. It gets the time that it takes; kill -KILL ${this.pid} has it begin anew`,
      ),
    );
  }

  #endStep(): void {
    if (!this.#isInStep) return;
    this.#isInStep = false;
    this.#restartStartTimer(this.#options.startTimeoutMs);
  }

  #becomeReady(): void {
    if (this.#state === 'standby' || (this.#state === 'starting' && !this.#isActive))
      this.fault('it says ready, though it has no place yet');
    else {
      this.#silence.saidReady();
      this.markReady();
    }
  }

  #standBy(): void {
    if (this.#state !== 'starting') return;
    if (!this.#options.isToStandBy) {
      this.fault('it waits, though it was not told to');
      return;
    }
    if (this.#activation) {
      this.#takePlace(this.#activation);
      return;
    }
    // It may wait without a deadline.
    this.#startTimer?.cancel();
    this.#silence.start();
    this.#move('standby');
  }

  #takePlace({ name, input, readyTimeoutMs = this.#options.startTimeoutMs }: Activation): void {
    this.#silence.stop();
    if (this.#state === 'standby') this.#move('starting');
    this.#restartStartTimer(readyTimeoutMs);
    this.send({ kind: 'activate', name, input });
  }

  #restartStartTimer(timeoutMs: number): void {
    if (this.#state !== 'starting') return;
    this.#startTimer?.cancel();
    this.#startTimer = this.#clock.after(timeoutMs, () => this.fault(`not ready within ${timeoutMs} ms`));
  }

  #stop(ending: Ending): void {
    if (this.#beginStop(ending)) this.#killNow();
  }

  /** The child is killed, with or without its stack. Until then it is `stopping`, so that it gets no more work. */
  #endHung(blockedMs: number): void {
    const cause = `hung: its event loop stood still for ${blockedMs} ms`;
    const hung = this.#process;
    if (!this.#beginStop({ endedBy: 'hang', cause })) return;
    if (!hung?.stderr) {
      this.#killNow();
      return;
    }
    const { log, stackTimeoutMs = STACK_TIMEOUT_MS } = this.#options;
    void stackOfHung(hung, stackTimeoutMs).then((stack) => {
      log.error(
        { child: this.#name, childPid: this.pid, blockedMs, stack },
        `the event loop of ${this.#name} has stood still for ${blockedMs} ms; it is killed`,
      );
      if (this.#state !== 'dead') this.#killNow();
    });
  }

  /** @returns whether the stop has begun now, so that the child is to be killed; false when it had begun before */
  #beginStop(ending: Ending): boolean {
    if (this.#state === 'stopping' || this.#state === 'dead') return false;
    this.#cancelTimers();
    this.#ending ??= ending;
    this.#move('stopping');
    return true;
  }

  #killNow(): void {
    this.#process?.kill('SIGKILL');
    this.#endTimer = this.#clock.after(KILLED_GRACE_MS, () => this.#giveUpWaiting());
  }

  /** Counts the child as dead before the kernel has ended it, so that nobody waits. Its real end changes nothing. */
  #giveUpWaiting(): void {
    const { endedBy = 'us', cause = '' } = this.#ending ?? {};
    this.#ending = { endedBy, cause: `${cause}; it was killed, and the kernel has not ended it yet` };
    this.#end(null, 'SIGKILL');
    this.emit('close');
  }

  #end(code: number | null, signal: NodeJS.Signals | null, spawnError?: Error): void {
    if (this.#state === 'dead') return;
    this.#cancelTimers();
    const seen = this.#ending ?? this.#endingSeen(code, signal, spawnError);
    this.#move('dead');
    this.emit('exit', {
      pid: this.pid,
      code,
      signal,
      ...seen,
      readyForMs: this.#readyAtMs === undefined ? 0 : this.#clock.nowMs() - this.#readyAtMs,
      failure: this.#failure,
    });
  }

  #endingSeen(code: number | null, signal: NodeJS.Signals | null, spawnError: Error | undefined): Ending {
    const { drainBy, limits } = this.#options;
    const wasReady = this.#readyAtMs !== undefined;
    const isOurs = drainBy === 'message';
    return endingOf({ code, signal, failure: this.#failure, spawnError, wasReady, isOurs, limits });
  }

  #cancelTimers(): void {
    this.#silence.stop();
    this.#startTimer?.cancel();
    this.#endTimer?.cancel();
  }

  #move(state: ChildState): void {
    demandTransition(CHILD_TRANSITIONS, this.#state, state, this.#name);
    this.#state = state;
    this.emit('state', state);
  }
}

/** No message needs a handle, and a handle that is not closed stays open. */
function close(handle: unknown): void {
  if (handle instanceof Socket) handle.destroy();
  else if (handle instanceof Server) handle.close();
}

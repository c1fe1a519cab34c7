import { EventEmitter } from 'node:events';
import { Failure, isCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Child, ChildExit, ChildState } from './child.ts';
import type { RestartPolicy } from './restart-policy.ts';

export type SlotState = 'stopped' | 'running' | 'backing-off' | 'broken';

export interface SlotOptions {
  readonly name: string;
  /** @param standby whether the child shall load and then wait for `activate` */
  readonly spawn: (standby: boolean) => Child;
  /**
   * How a child is replaced while it serves. `overlap`: the next one is ready before the old one drains.
   * `standby`: there may be only one, so the next one loads, waits until the old one has gone, and takes over.
   * `gap`: there may be only one, and nobody waits for it, so the next one starts when the old one has gone.
   */
  readonly handover: 'overlap' | 'standby' | 'gap';
  readonly policy: RestartPolicy;
  /** A child that stayed ready this long has its restart record reset. */
  readonly resetAfterMs: number;
  readonly log: Logger;
}

interface SlotEvents {
  /** A child was made; it is starting. */
  child: [child: Child];
  /** Anything that `/ready` or a person would want to know has changed. */
  change: [];
  death: [exit: ChildExit, restartInMs: number | undefined];
  /** The place of one that died is filled again. */
  restarted: [child: Child];
  /** A child that served was exchanged for another. */
  replaced: [child: Child, cause: string];
}

/**
 * The place of one child in the tree: keeps it filled. States and who moves them:
 * stopped → running (`start`) → backing-off (its child died) → running (timer); backing-off → broken (the policy's
 * breaker opened) → running (slow timer); any → stopped (`stop`). While running, `replace` exchanges the child.
 */
export class Slot extends EventEmitter<SlotEvents> {
  readonly name: string;
  readonly #options: SlotOptions;
  #state: SlotState = 'stopped';
  #child: Child | undefined;
  /** The replacement on its way, during `replace`. */
  #next: Child | undefined;
  /** Those that were replaced and still drain. */
  readonly #leaving = new Set<Child>();
  #timer: NodeJS.Timeout | undefined;
  #resetTimer: NodeJS.Timeout | undefined;
  #restarts = 0;
  #lastExit: ChildExit | undefined;

  constructor(options: SlotOptions) {
    super();
    this.name = options.name;
    this.#options = options;
  }

  get state(): SlotState {
    return this.#state;
  }

  get child(): Child | undefined {
    return this.#child;
  }

  get childState(): ChildState {
    return this.#child?.state ?? 'dead';
  }

  /** A successor is on its way; meanwhile the place may be empty. */
  get isBeingReplaced(): boolean {
    return this.#next !== undefined;
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

  /** Whether it failed so often that it is tried again slowly; also during such a try. */
  get breakerOpen(): boolean {
    return this.#options.policy.breakerOpen;
  }

  /** Why it does not serve, in words; undefined when it does. */
  get trouble(): string | undefined {
    if (this.isReady) return this.#child?.reportedTrouble;
    // That it comes up for the first time is no trouble.
    if (this.#state === 'running' && this.childState === 'starting' && !this.#lastExit) return undefined;
    const last = this.#lastExit ? ` after it ${this.#lastExit.cause}` : '';
    if (this.#state === 'broken') return `failing again and again${last}; tried again slowly`;
    if (this.#state === 'backing-off') return `waiting to restart${last}`;
    if (this.#state === 'stopped') return 'stopped';
    return `${this.childState}${last}`;
  }

  start(): void {
    this.#state = 'running';
    this.#spawn(false);
  }

  /** Asks the child to finish; whenever it ends now, it is not replaced. Past the deadline it is killed. */
  retire(timeoutMs: number, cause: string): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#resetTimer);
    this.#state = 'stopped';
    this.#next?.kill('SIGKILL', cause);
    this.#child?.drain(timeoutMs, cause);
  }

  /** Ends the child for good, gracefully until the deadline. Resolves when it is dead. */
  async stop(timeoutMs: number, cause: string): Promise<void> {
    this.retire(timeoutMs, cause);
    const leaving = [...this.#leaving];
    // They have the deadline of the exchange, which may be later than this one.
    const timer = setTimeout(() => {
      for (const child of leaving) child.kill('SIGKILL', `${cause}; drain deadline passed`);
    }, timeoutMs);
    await Promise.all([this.#child, this.#next, ...leaving].map((child) => child?.ended()));
    clearTimeout(timer);
  }

  /**
   * RollingReplacement the child for a new one without a gap in service. When the new one does not come up, the old one
   * stays.
   *
   * @param drainTimeoutMs what the old one gets to finish
   * @throws Failure why the new one did not come up
   */
  async replace(drainTimeoutMs: number, cause: string): Promise<void> {
    if (this.#state === 'backing-off' || this.#state === 'broken') {
      // Nothing serves here that could be lost, and the new code may be the cure.
      clearTimeout(this.#timer);
      this.#spawn(true);
      await this.#comesUp(this.#child as Child);
      return;
    }
    // One that is coming up is waited for.
    if (this.#state === 'running' && this.childState === 'starting') await this.ready();
    const old = this.#child;
    if (this.#next || this.#state !== 'running' || old?.state !== 'ready') {
      throw new Failure(
        'not_ready',
        `${this.name} cannot be replaced now: ${this.trouble ?? 'it is being replaced'}`,
      );
    }
    if (this.#options.handover === 'gap') {
      old.drain(drainTimeoutMs, cause);
      await old.ended();
      await this.ready();
      this.emit('replaced', this.#child as Child, cause);
      return;
    }
    const next = this.#options.spawn(this.#options.handover === 'standby');
    this.#next = next;
    this.emit('child', next);
    try {
      await this.#comesUp(next);
      if (this.#options.handover === 'standby') await this.#handOver(old, next, drainTimeoutMs, cause);
    } catch (failure) {
      this.#next = undefined;
      // Its death was left to this replacement, which has failed.
      if (this.childState === 'dead' && this.#state === 'running') this.#spawn(true);
      throw failure;
    }
    this.#next = undefined;
    this.#adopt(next);
    this.#options.log.info(
      { child: this.name, childPid: next.pid, oldPid: old.pid, cause },
      `${this.name} ready, replaces ${old.pid}: ${cause}`,
    );
    this.emit('replaced', next, cause);
    this.#leaving.add(old);
    old.drain(drainTimeoutMs, cause);
    await old.ended();
    this.#leaving.delete(old);
  }

  /** Resolves when a replacement is ready, or loaded when it has to wait for `activate`. */
  async #comesUp(next: Child): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      next.once('ready', resolve);
      // Where the places overlap, one that loads in reserve says so too, on its way to being ready.
      next.on('message', (message) => {
        if (message.kind === 'standby' && this.#options.handover === 'standby') resolve();
      });
      next.once('exit', (exit) => {
        reject(finalFailure(exit) ?? new Failure('child_failed', `the new ${this.name} ${exit.cause}`));
      });
    });
  }

  /** From the old one's last decision to the new one's first there is nobody; the clients hold what they send. */
  async #handOver(old: Child, next: Child, timeoutMs: number, cause: string): Promise<void> {
    old.drain(timeoutMs, cause);
    await quiesced(old);
    old.kill('SIGKILL', cause);
    await old.ended();
    if (next.state === 'dead') throw new Failure('child_failed', `the new ${this.name} died while it waited`);
    const ready = new Promise<void>((resolve, reject) => {
      next.once('ready', resolve);
      next.once('exit', (exit) => reject(new Failure('child_failed', `the new ${this.name} ${exit.cause}`)));
    });
    next.activate(this.name);
    await ready;
  }

  /**
   * Resolves when the child is ready.
   * @throws Failure what the child said of itself when trying again cannot help, child_failed when the breaker opens
   */
  async ready(): Promise<void> {
    if (this.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void) => {
        this.off('change', onChange);
        this.off('death', onDeath);
        end();
      };
      const onChange = () => {
        if (this.isReady) settle(resolve);
      };
      const onDeath = (exit: ChildExit) => {
        const failure = finalFailure(exit);
        if (failure) settle(() => reject(failure));
        else if (this.#state === 'stopped' || this.#state === 'broken') {
          settle(() => reject(new Failure('child_failed', `${this.name} ${exit.cause}`)));
        }
      };
      this.on('change', onChange);
      this.on('death', onDeath);
    });
  }

  /** @param isRestart whether it makes up for one that died */
  #spawn(isRestart: boolean): void {
    this.#state = 'running';
    const child = this.#options.spawn(false);
    child.once('ready', () => {
      this.#options.log.info(
        { child: this.name, childPid: child.pid, startMs: Math.round(child.ageMs) },
        `${this.name} ready`,
      );
      if (isRestart) this.emit('restarted', child);
    });
    this.#adopt(child);
    this.emit('child', child);
  }

  /** Makes it the slot's child: its life is the slot's from now on. */
  #adopt(child: Child): void {
    this.#child = child;
    const resetLater = () => {
      clearTimeout(this.#resetTimer);
      this.#resetTimer = setTimeout(() => this.#options.policy.reset(), this.#options.resetAfterMs).unref();
    };
    if (child.state === 'ready') resetLater();
    else child.once('ready', resetLater);
    child.on('state', () => this.emit('change'));
    child.once('exit', (exit) => this.#onExit(child, exit));
    this.emit('change');
  }

  #onExit(child: Child, exit: ChildExit): void {
    if (child !== this.#child) return;
    clearTimeout(this.#resetTimer);
    this.#lastExit = exit;
    // Its successor is on the way already, and `replace` deals with the case that it does not arrive.
    if (this.#next) return;
    if (this.#state === 'stopped') {
      this.#options.log.info({ child: this.name, childPid: child.pid }, `${this.name} stopped`);
      this.emit('death', exit, undefined);
      this.emit('change');
      return;
    }
    const { delayMs, breakerOpen } = exit.wanted
      ? { delayMs: 0, breakerOpen: false }
      : this.#options.policy.afterDeath(exit.readyForMs, isFault(exit));
    this.#restarts += 1;
    this.#state = breakerOpen ? 'broken' : 'backing-off';
    const next = breakerOpen ? 'breaker open, next try' : 'next start';
    this.#options.log[exit.wanted ? 'info' : 'error'](
      {
        child: this.name,
        childPid: child.pid,
        cause: exit.cause,
        readyForMs: Math.round(exit.readyForMs),
        restartInMs: delayMs,
        restarts: this.#restarts,
      },
      `${this.name} died: ${exit.cause}; ${next} in ${delayMs} ms`,
    );
    // Timers first run a turn later; a replacement that is due now should not wait for one.
    if (delayMs === 0) this.#spawn(!exit.wanted);
    else this.#timer = setTimeout(() => this.#spawn(true), delayMs);
    this.emit('death', exit, delayMs);
    this.emit('change');
  }
}

/**
 * A hang is not counted: it is mostly one request's doing, and takes so long that nothing goes round in a hurry.
 * @returns whether a death speaks against the code
 */
function isFault({ killedFromOutside, isHung }: ChildExit): boolean {
  return !killedFromOutside && !isHung;
}

/** Resolves when a draining writer has decided what it had, or is dead. */
export async function quiesced(child: Child): Promise<void> {
  if (child.state === 'dead') return;
  await new Promise<void>((resolve) => {
    child.on('message', (message) => {
      if (message.kind === 'drained') resolve();
    });
    child.once('exit', () => resolve());
  });
}

/** @returns what the child said of itself, when it is a reason that a restart does not change */
export function finalFailure(exit: ChildExit): Failure | undefined {
  const { failure } = exit;
  if (!failure || !isCode(failure.code) || failure.code === 'internal' || failure.code === 'child_failed')
    return;
  return new Failure(failure.code, failure.message);
}

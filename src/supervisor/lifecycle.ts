import type { SystemState } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import { demandTransition, type Transitions } from './transitions.ts';

export const SYSTEM_TRANSITIONS: Transitions<SystemState> = {
  standby: ['starting', 'stopping'],
  starting: ['serving', 'stopping'],
  serving: ['healing', 'stopping'],
  healing: ['serving', 'stopping'],
  stopping: ['stopped'],
  stopped: [],
};

/**
 * The states of the system as a whole, and who moves them: starting → serving (`System.start`: every worker is ready) →
 * stopping (`System.stop`, from any state) → stopped; serving → healing → serving (`Recovery`). A system that stands by
 * has no `Lifecycle` yet.
 */
export class Lifecycle {
  readonly startedAtMs = Date.now();
  #state: SystemState = 'starting';
  /** On the monotonic clock: the clock time may be set meanwhile. */
  #sinceMs = performance.now();
  #trouble: string | undefined;

  get state(): SystemState {
    return this.#state;
  }

  /** Milliseconds since the epoch, by the clock as it is set now. */
  get sinceAtMs(): number {
    return Math.round(Date.now() - (performance.now() - this.#sinceMs));
  }

  /** Why the state does not change, in words; undefined when there is no such reason, and after each move. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  set trouble(trouble: string) {
    this.#trouble = trouble;
  }

  get isServing(): boolean {
    return this.#state === 'serving';
  }

  /** Whether nothing may be started any more. */
  get isEnding(): boolean {
    return this.#state === 'stopping' || this.#state === 'stopped';
  }

  /** @throws Failure not_ready when nothing may be started any more */
  demandNotEnding(): void {
    if (this.isEnding) throw new Failure('not_ready', 'Stopped while starting');
  }

  /** @throws Failure internal when the table has no such move */
  move(state: SystemState): void {
    demandTransition(SYSTEM_TRANSITIONS, this.#state, state, 'the system');
    this.#state = state;
    this.#trouble = undefined;
    this.#sinceMs = performance.now();
  }

  /** @throws Failure not_ready when the system does not serve */
  demandServing(): void {
    if (!this.isServing) throw new Failure('not_ready', `The system is ${this.#state}`);
  }
}

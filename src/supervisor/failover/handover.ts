import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Events } from '../events.ts';
import type { HandedOver, System } from '../system.ts';
import type { ContenderPlace } from './contender-place.ts';

const SERVED_MAX_MS = 60_000;
const PEER_LOOK_MS = 200;
/** A proxy asks /ready each second (config/haproxy.cfg), and then sends to the other system what is closed here. */
const PROXY_LOOK_MS = 1500;
/** After two failed checks a proxy sends nothing here any more. Until then each connection is closed as it comes. */
const PROXY_LEAVE_MS = 3000;

export interface HandoverOptions {
  readonly contender: ContenderPlace;
  /** How long the other system may be silent before it counts as gone. */
  readonly leaseTtlMs: number;
  readonly events: Events;
  readonly log: Logger;
}

/**
 * Gives the lead to the other system. States and who moves them: idle ⇄ under way (`run`). A handover and a reload or
 * restart (`exchange`) exclude each other.
 */
export class Handover {
  readonly #options: HandoverOptions;
  #isUnderWay = false;
  /** Reloads and restarts that are under way. */
  #exchanges = 0;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /**
   * Has the other system lead. Requests wait here until that one serves, and are then closed unanswered, so that a
   * proxy sends them again, to that one. This system then has to end; where the other one does not take the lead, this
   * one leads on.
   * @throws Failure not_ready: why nothing was changed, or that the other system has not taken the lead
   */
  async run(system: System): Promise<HandedOver> {
    const { contender, events } = this.#options;
    if (this.#isUnderWay) throw new Failure('not_ready', 'A handover is under way');
    // The writer may be migrating, or be exchanged, just now.
    if (this.#exchanges > 0)
      throw new Failure('not_ready', 'A reload or a restart is under way: hand over when it is done');
    this.#isUnderWay = true;
    try {
      const { name } = await contender.successor();
      const startMs = await this.#give(system, name);
      const problem = await this.#served(name);
      system.closeRequests();
      const durationMs = Math.round(performance.now() - startMs);
      events.record('handover', { cause: problem ?? `${name} leads`, durationMs });
      await delay(PROXY_LEAVE_MS);
      return { to: name, durationMs, problem };
    } finally {
      this.#isUnderWay = false;
    }
  }

  /**
   * Runs a reload or a restart.
   * @param leading returns the system that leads, or throws
   * @throws Failure not_ready while the lead is being handed over
   */
  async exchange<Result>(leading: () => System, run: (system: System) => Promise<Result>): Promise<Result> {
    if (this.#isUnderWay) throw new Failure('not_ready', 'The lead is being handed over');
    const system = leading();
    this.#exchanges += 1;
    try {
      return await run(system);
    } finally {
      this.#exchanges -= 1;
    }
  }

  /**
   * @returns when the requests began to wait; monotonic
   * @throws Failure not_ready when the lead is not taken; this system then goes on
   */
  async #give(system: System, to: string): Promise<number> {
    const { contender } = this.#options;
    let isTaken = false;
    let problem = 'the replica did not have all in time';
    let heldMs = 0;
    try {
      await system.finishBackgrounds();
      heldMs = performance.now();
      contender.isHandingOver = true;
      if (await system.hold()) {
        problem = `${to} did not take the lead in time`;
        isTaken = await contender.offer();
      }
    } finally {
      if (!isTaken) {
        contender.isHandingOver = false;
        system.go();
      }
    }
    if (!isTaken) {
      const suspended = contender.suspendedBecause;
      throw new Failure('not_ready', `Not handed over: ${problem}. ${suspended ?? 'This system leads on'}.`);
    }
    return heldMs;
  }

  /**
   * Resolves when the other system serves and a proxy that asks each second has seen it; also when that takes too long,
   * or the other system is gone. This system stands by for it then.
   * @returns why it does not serve, as far as is known; undefined when it does
   */
  async #served(name: string): Promise<string | undefined> {
    const { contender, leaseTtlMs, log } = this.#options;
    const startMs = performance.now();
    let heardMs = startMs;
    let silence: string | undefined;
    do {
      const peer = await contender.askPeer().catch(({ message }: Error) => {
        silence = message;
      });
      if (peer?.isServing) {
        await delay(PROXY_LOOK_MS);
        return undefined;
      }
      if (peer) {
        heardMs = performance.now();
        silence = undefined;
      }
      await delay(PEER_LOOK_MS);
    } while (performance.now() < Math.min(startMs + SERVED_MAX_MS, heardMs + leaseTtlMs));
    const problem = `${name} has taken the lead, and does not serve${silence === undefined ? '' : `. ${silence}`}`;
    log.error(problem);
    return problem;
  }
}

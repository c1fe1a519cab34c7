import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Events } from '../events.ts';
import type { HandedOver, System } from '../system.ts';
import type { ContenderPlace } from './contender-place.ts';

const SERVED_MAX_MS = 60_000;
const PEER_LOOK_MS = 200;
/** A proxy asks /ready each second (config/haproxy.cfg), and then sends to the other one what is closed here. */
const PROXY_LOOK_MS = 1500;
/** It sends nothing here any more when it has looked twice in vain. Before that each connection is closed as it comes. */
const PROXY_LEAVE_MS = 3000;

export interface HandoverOptions {
  readonly contender: ContenderPlace;
  /** How long the other system may be out of hearing before it counts as gone. */
  readonly leaseTtlMs: number;
  readonly events: Events;
  readonly log: Logger;
}

/**
 * Gives the lead to the other system. States and who moves them: idle ⇄ under way (`run`). None begins while a reload or a
 * restart is under way, and none of those while it is (`exchange`).
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
   * Has the other system lead: requests wait here until that one serves, and are closed unanswered then, so that a proxy sends
   * them again, to that one. This system is over then; where the other one does not take it, it leads on.
   * @throws Failure not_ready: why nothing was changed, or the other one has not taken it
   */
  async run(system: System): Promise<HandedOver> {
    const { contender, events } = this.#options;
    if (this.#isUnderWay) throw new Failure('not_ready', 'A handover is under way');
    // Its writer may just now migrate, or be exchanged.
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
   * @param leading returns who leads, or throws
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
   * @returns since when requests wait; monotonic
   * @throws Failure not_ready when it is not taken; this system goes on then
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
   * Resolves when the other one serves, and whoever looks each second has seen it; or when that takes too long, or it is gone:
   * this system stands by for it then.
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

import type { ChildProcess } from 'node:child_process';
import { pickSecrets } from '../config/secrets.ts';
import type { Logger } from '../platform/log.ts';
import { beatIntervalMs } from '../runtime/beat.ts';
import type { ChildContext } from '../runtime/runtime.ts';
import { Child } from './child.ts';
import { processClock } from './clock.ts';
import type { Events } from './events.ts';
import { fork } from './fork.ts';
import { entryPathOf, exchangeTimeoutMsOf, type ProcessSpec, pickAppSecrets } from './processes.ts';
import type { Deployment, Release } from './release/deployment.ts';
import { RestartPolicy } from './restart-policy.ts';
import { Slot, type SlotOptions } from './slot.ts';
import type { Telemetry } from './telemetry.ts';

/** A child that was ready for so long is restarted without back-off. */
const STABLE_MS = 500;

export interface ProcessFactoryOptions {
  readonly log: Logger;
  readonly events: Events;
  readonly telemetry: Telemetry;
  /** Something has changed that `/ready` or a person would want to know. */
  readonly onChange: () => void;
  /** Called before each fork. @throws Failure why no process may be forked from this release */
  readonly check: (release: Release) => void;
  /** A child has found a database damaged; how, in words. */
  readonly onDamage: (reason: string, isPutBack?: boolean) => void;
}

/** One process of some kind. */
export interface ProcessRequest extends Partial<Pick<ChildContext, 'standby' | 'input'>> {
  readonly name: string;
  readonly deployment: Deployment;
  /** Environment variables beside the secrets. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Makes slots and children as the table of processes specifies them, each from a deployment. Children can be forked
 * ahead of their turn: loading (`prefork`) → activated (`child` asks for it), or ended (`endPreforked`).
 */
export class ProcessFactory {
  readonly #options: ProcessFactoryOptions;
  readonly #preforked = new Map<string, Child>();
  /** Children that have not ended. */
  readonly #living = new Set<Child>();

  constructor(options: ProcessFactoryOptions) {
    this.#options = options;
  }

  /** The deployments of all processes that have not ended. */
  get deploymentsInUse(): Deployment[] {
    return [...this.#living].map(({ deployment }) => deployment);
  }

  /** Every child that has not ended. */
  get living(): readonly Child[] {
    return [...this.#living];
  }

  /** @returns a slot that is watched, with the restart policy of its deployment's settings */
  slot(
    spec: ProcessSpec & Pick<SlotOptions, 'handover'>,
    { name, deployment }: ProcessRequest,
    spawn: SlotOptions['spawn'],
    isAlone?: () => boolean,
  ): Slot {
    const { log, events, telemetry, onChange } = this.#options;
    const { config } = deployment;
    const policy = new RestartPolicy({
      backoffMinMs: config.RESTART_BACKOFF_MIN_MS,
      backoffMaxMs: config.RESTART_BACKOFF_MAX_MS,
      intensity: config.RESTART_INTENSITY,
      windowMs: config.RESTART_WINDOW_MS,
      breakerRetryMs: config.BREAKER_RETRY_MS,
      stableMs: STABLE_MS,
      now: () => processClock.nowMs(),
      random: Math.random,
    });
    const slot = new Slot({
      name,
      deployment,
      spawn,
      handover: spec.handover,
      exchangeTimeoutMs: (deployment) => exchangeTimeoutMsOf(spec, deployment.config),
      policy,
      ...(isAlone && { isAlone }),
      resetAfterMs: config.RESTART_WINDOW_MS,
      log,
    });
    slot.on('change', onChange);
    events.watch(slot);
    telemetry.watch(slot);
    return slot;
  }

  /** Forks a process ahead of its turn: it loads its code while those before it start. */
  prefork(spec: ProcessSpec, request: ProcessRequest): void {
    this.#preforked.set(request.name, this.#fork(spec, { ...request, standby: 'code' }));
  }

  /** Ends the preforked children that were not asked for. Resolves when they are gone. */
  async endPreforked(cause: string): Promise<void> {
    const children = [...this.#preforked.values()];
    this.#preforked.clear();
    for (const child of children) child.kill(cause);
    await Promise.all(children.map((child) => child.ended()));
  }

  /** @returns the child that was preforked with this name and deployment, if it lives, else a new one */
  child(spec: ProcessSpec, request: ProcessRequest): Child {
    const preforked = this.#preforked.get(request.name);
    this.#preforked.delete(request.name);
    const { name, deployment, input, standby = 'none' } = request;
    if (preforked?.canBeActivated && preforked.deployment === deployment && standby === 'none') {
      preforked.activate({ name, input });
      return preforked;
    }
    preforked?.kill('it is not wanted any more');
    return this.#fork(spec, request);
  }

  /** @returns a child that is no Node.js process, and sends no messages */
  binary(spec: ProcessSpec, { name, deployment }: ProcessRequest, spawn: () => ChildProcess): Child {
    return this.#child(spec, { name, deployment }, spawn);
  }

  #fork(spec: ProcessSpec, request: ProcessRequest): Child {
    const { telemetry, check, onDamage } = this.#options;
    const { name, deployment, input, standby = 'none' } = request;
    const entryPath = entryPathOf(spec, deployment.release);
    const { secrets, appSecrets, settings } = deployment;
    const env = {
      ...pickSecrets(secrets, spec.secrets),
      ...pickAppSecrets(appSecrets, settings, spec),
      ...request.env,
    };
    const child = this.#child(spec, request, () => {
      check(deployment.release);
      return fork(deployment, entryPath, { role: name, standby, input }, env);
    });
    telemetry.hear(child);
    child.on('message', (message) => {
      if (message.kind === 'damaged') onDamage(message.reason, message.isPutBack);
    });
    return child;
  }

  #child(spec: ProcessSpec, request: ProcessRequest, spawn: () => ChildProcess): Child {
    const { name, deployment, standby = 'none' } = request;
    const { START_TIMEOUT_MS, HANG_TIMEOUT_MS } = deployment.config;
    const child = new Child({
      name,
      deployment,
      spawn,
      isToStandBy: standby !== 'none',
      startTimeoutMs: START_TIMEOUT_MS,
      drainBy: spec.drainBy,
      silenceTimeoutMs: spec.beats ? HANG_TIMEOUT_MS + beatIntervalMs(HANG_TIMEOUT_MS) : 0,
      log: this.#options.log,
    });
    this.#living.add(child);
    child.once('exit', () => this.#living.delete(child));
    return child;
  }
}

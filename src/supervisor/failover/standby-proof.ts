import type { DrillResult } from '../../messages/drill-result.ts';
import type { SystemStatus, Trouble } from '../../messages/messages.ts';
import type { FailoverSnapshot } from '../../messages/snapshot.ts';
import type { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { rehearsedDir } from '../../replication/drill/record.ts';
import type { Child } from '../child.ts';
import { Drills } from '../drills.ts';
import type { Events } from '../events.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { PROCESSES } from '../processes.ts';
import type { Deployment } from '../release/deployment.ts';
import { standBy } from '../release/trial.ts';
import type { Slot } from '../slot.ts';
import type { ContenderPlace } from './contender-place.ts';
import { failoverSnapshot } from './failover-snapshot.ts';
import { MirrorPlace } from './mirror-place.ts';
import { deploymentIn } from './takeover.ts';

export interface StandbyProofOptions {
  readonly deployment: Deployment;
  readonly factory: ProcessFactory;
  readonly contender: ContenderPlace;
  readonly events: Events;
  readonly log: Logger;
  readonly onChange: () => void;
}

/**
 * Shows whether a standby could take over: its mirror of the leader's replica, and drills that restore from it. States
 * and who moves them: idle → following (`follow`, when the leader's folder is known) → proving (the mirror has it all,
 * or none is wanted: drills run from then on) → stopped (`stop`).
 */
export class StandbyProof {
  readonly #options: StandbyProofOptions;
  readonly #mirror: MirrorPlace;
  readonly #drills: Drills;
  /** Whether a drill of this code's migrations was begun since the start. */
  #isTried = false;
  #isStopped = false;

  constructor(options: StandbyProofOptions) {
    const { deployment, factory, log, onChange } = options;
    this.#options = options;
    this.#mirror = new MirrorPlace(deployment, factory, () => this.#prove());
    this.#drills = new Drills({
      dataDir: deployment.config.DATA_DIR,
      record: 'standby-drill',
      intervalMs: deployment.config.DRILL_INTERVAL_MS,
      spawn: () => this.#spawnDrill(),
      inspect: (result, signal) => this.#tryServing(result, signal),
      log,
      onChange,
      onResult: (result) => this.#drilled(result),
    });
  }

  get lastDrill(): DrillResult | undefined {
    return this.#drills.last;
  }

  get drillStatus(): SystemStatus['drill'] {
    return this.#drills.status;
  }

  get failoverSnapshot(): FailoverSnapshot {
    return failoverSnapshot(this.#options.contender, this.#mirror, this.#drills.last);
  }

  get troubles(): readonly Trouble[] {
    const { trouble: ofMirror } = this.#mirror;
    const { trouble: ofDrill } = this.#drills;
    return [
      ...(ofMirror ? [{ name: 'mirror', reason: ofMirror }] : []),
      ...(ofDrill ? [{ name: 'drill', reason: ofDrill }] : []),
    ];
  }

  get slots(): readonly Slot[] {
    return this.#mirror.isStarted ? [this.#mirror.slot] : [];
  }

  /** To be called when who leads, or what it has, has changed. */
  follow(): void {
    const { state, held } = this.#options.contender.leadership;
    if (state !== 'standby' || held === undefined) return;
    this.#mirror.follow(held);
    if (!this.#mirror.isWanted) this.#prove();
  }

  /** @returns the result of a drill on demand */
  run(): Promise<DrillResult> {
    return this.#drills.run();
  }

  /** Ends the processes that read what a takeover restores. */
  async stop(cause: string): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#drills.stop(cause), this.#mirror.stop(cause)]);
  }

  /** Removes the mirror from the disk: a leader has the databases. */
  removeMirror(): Promise<void> {
    return this.#mirror.remove();
  }

  /** From now on drills take place, since there is something to restore. New migrations are tried at once. */
  #prove(): void {
    const { state, isToTry } = this.#options.contender.leadership;
    if (state !== 'standby' || this.#isStopped) return;
    this.#drills.start();
    if (!isToTry || this.#isTried) return;
    this.#isTried = true;
    this.#drills.run().catch(() => {});
  }

  #spawnDrill(): Child {
    const { deployment, contender, factory } = this.#options;
    const { data = '', confirmed = {} } = contender.leadership.held ?? {};
    const { litestream, databases, litestreamConfigPath } = deploymentIn(deployment, data);
    const last = this.#drills.last?.databases ?? {};
    const sizesBytes = Object.fromEntries(
      Object.entries(last).map(([name, { restoredBytes }]) => [name, restoredBytes]),
    );
    const input = { litestream, litestreamConfigPath, databases, sizesBytes, confirmed };
    const { role: name } = PROCESSES.standbyDrill;
    return factory.child(PROCESSES.standbyDrill, { name, deployment, input });
  }

  /** Where this code has migrated the copy, also tries the workers, as a reload does: the drill had only a writer. */
  async #tryServing(result: DrillResult, signal: AbortSignal): Promise<DrillResult> {
    const { deployment, contender, factory } = this.#options;
    const { ok, takeover } = result;
    const isMigrated = ok && takeover && takeover.refusal === undefined && takeover.untried === undefined;
    if (!isMigrated || !contender.leadership.isToTry) return result;
    const folder = rehearsedDir(deployment.config.DATA_DIR);
    try {
      await standBy(factory, deployment, { folder, who: 'this release', signal });
      return result;
    } catch (error) {
      const { code, message } = error as Failure;
      // The process died, was killed, or found no room. That proves nothing, and the next drill tries again.
      const isPassing = code === 'child_failed' || code === 'not_ready';
      const found = isPassing ? { untried: message } : { refusal: message };
      return { ...result, takeover: { ...takeover, ...found } };
    }
  }

  #drilled({ ok, reason, restoredBytes, takeover }: DrillResult): void {
    const { contender, events } = this.#options;
    const { refusal } = takeover ?? {};
    const untried = takeover?.untried ?? (ok ? undefined : reason);
    contender.rehearsed({ refusal, untried, restoredBytes });
    if (!ok) events.record('drill-failed', { cause: reason ?? 'no reason told' });
  }
}

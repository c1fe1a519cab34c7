import type { SystemStatus } from '../messages/messages.ts';
import type { Child } from './child.ts';
import type { DataTier } from './data-tier.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { NotifyPlace } from './notify-place.ts';
import type { Recycler } from './recycler.ts';
import type { ServingTier } from './serving-tier.ts';

export interface StatusBoardOptions {
  readonly lifecycle: Lifecycle;
  readonly notify: NotifyPlace;
  readonly data: DataTier;
  readonly serving: ServingTier;
  /** What is wrong with the releases that run. */
  readonly releaseTrouble: () => string | undefined;
  /** What is wrong with the proxies in front. */
  readonly proxyProblem: () => string | undefined;
  readonly recycler: () => Pick<Recycler, 'trouble'>;
}

/**
 * Gathers what `/ready` answers, and sends it to every worker whenever it has changed. State: whether a change is to be
 * sent (`changed`) at the end of the turn (`announce`), and what was sent last.
 */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  #isScheduled = false;
  #lastTold = '';

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  get status(): SystemStatus {
    const { lifecycle, notify, data, serving, releaseTrouble, proxyProblem } = this.#options;
    const { replicator, writer, drills } = data;
    const notReady = [];
    const degraded = [];
    if (data.lease.failure) notReady.push({ name: 'replica', reason: data.lease.failure.message });
    const { suspendedBecause } = data.lease;
    if (suspendedBecause) notReady.push({ name: 'suspended', reason: suspendedBecause });
    if (data.lease.trouble) degraded.push({ name: 'replica', reason: data.lease.trouble });
    degraded.push(...(data.lease.peerTroubles ?? []));
    const isHandedOver = serving.areRequestsClosed;
    if (isHandedOver) notReady.push({ name: 'standby', reason: 'this system has handed over' });
    if (!lifecycle.isServing) notReady.push({ name: 'system', reason: lifecycle.trouble ?? lifecycle.state });
    const { trouble: ofWriter, state: writerState } = writer.slot;
    // During a planned exchange writes wait and reads go on: a proxy shall not take this system for down meanwhile.
    if (ofWriter && writerState === 'exchanging')
      degraded.push({ name: 'writer', reason: `it is being exchanged: ${ofWriter}` });
    else if (ofWriter) notReady.push({ name: 'writer', reason: ofWriter });
    // Only the control socket can tell this: HTTP connections wait for a worker.
    if (!serving.workers.some(({ isReady }) => isReady))
      notReady.push({ name: 'worker', reason: 'none serves' });
    const others = [...notify.slots, replicator.slot, ...serving.slots];
    for (const { name, trouble } of others) if (trouble) degraded.push({ name, reason: trouble });
    for (const { name, instability } of [writer.slot, ...others])
      if (instability) degraded.push({ name, reason: instability });
    if (writer.readOnlyBecause)
      degraded.push({ name: 'storage', reason: `writes are refused: ${writer.readOnlyBecause}` });
    degraded.push(...writer.problems);
    if (replicator.monitor.trouble)
      degraded.push({ name: 'replication', reason: replicator.monitor.trouble });
    const { trouble: retention } = replicator.retention;
    if (retention) degraded.push({ name: 'replica', reason: retention });
    if (serving.spare.trouble) degraded.push({ name: 'spare', reason: serving.spare.trouble });
    const limits = this.#options.recycler().trouble;
    if (limits) degraded.push({ name: 'limits', reason: limits });
    if (data.guard.trouble) degraded.push({ name: 'replica', reason: data.guard.trouble });
    if (data.history.trouble) degraded.push({ name: 'history', reason: data.history.trouble });
    if (drills.trouble) degraded.push({ name: 'drill', reason: drills.trouble });
    const ofReleases = releaseTrouble();
    if (ofReleases !== undefined) degraded.push({ name: 'release', reason: ofReleases });
    const ofProxies = proxyProblem();
    if (ofProxies !== undefined) degraded.push({ name: 'proxy', reason: ofProxies });
    return {
      ready: notReady.length === 0,
      ...(isHandedOver && { isHandedOver }),
      notReady,
      degraded,
      replication: replicator.monitor.status,
      drill: drills.status,
      releases: Object.fromEntries(
        [...data.slots, ...serving.slots].flatMap(({ name, child }) =>
          child ? [[name, child.deployment.release.hash]] : [],
        ),
      ),
    };
  }

  /** Sends the status to a worker that has just become ready. */
  tell(child: Child): void {
    child.send({ kind: 'status', status: this.status });
  }

  /** Sends one message a turn, however many children have changed in it. */
  changed(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.announce();
    });
  }

  /** Sends the status to every worker now, if it has changed. */
  announce(): void {
    const { status } = this;
    const text = JSON.stringify(status);
    if (text === this.#lastTold) return;
    this.#lastTold = text;
    for (const { child } of this.#options.serving.workers)
      if (child?.state === 'ready') child.send({ kind: 'status', status });
  }
}

import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { HistoryKeeper } from '../replication/history/keeper.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { probeReplica } from '../replication/store/replica-probe.ts';
import { silenceOf } from '../replication/store/store-probe.ts';
import type { Finding } from '../replication/watch/look.ts';
import { ReplicaWatch } from '../replication/watch/replica-watch.ts';
import type { ChildExit } from './child-exit.ts';
import type { Deployment } from './release/deployment.ts';
import type { Replicator } from './replicator.ts';
import { finalFailure } from './slot.ts';

/** Wait between two tries to compare with a replica that could not be compared; it doubles as long as that fails. */
const COMPARE_INTERVAL_MIN_MS = 1000;
const COMPARE_INTERVAL_MAX_MS = 30_000;
/** Exit code of a comparison that got no answer from the replica. */
const EXIT_TRY_AGAIN = 75;
const TIMER_MAX_MS = 2 ** 31 - 1;

type GuardState = 'off' | 'open' | 'comparing' | 'proving' | 'waiting' | 'refused';

export interface ReplicaGuardOptions {
  readonly deployment: Deployment;
  readonly running: () => Config;
  readonly replicator: Replicator;
  readonly history: HistoryKeeper;
  /** Whether no other system may add to the replica. */
  readonly isOwner: () => boolean;
  /** Compares the databases with the replica, while they serve and Litestream does not run. */
  readonly compare: () => Promise<ChildExit>;
  /** The replica is whole again. */
  readonly onProven: () => void;
  readonly onChange: () => void;
}

/**
 * Keeps this system from adding to a replica that holds another history, and from counting commits as replicated by a
 * replica that has lost something. States and who moves them:
 * - off → open (`start`, where the databases were compared with the replica and it is this system's), or comparing
 *   (where that is not known yet).
 * - comparing, Litestream is stopped → proving (the comparison finds nothing against it, and Litestream starts) or
 *   refused (a person has to decide; Litestream stays stopped).
 * - open, what Litestream confirms counts → comparing (a look at the replica has found what this system did not make,
 *   or the disk of the replica is not mounted), or renewing.
 * - renewing: something was lost, or a drill could not restore it, or Litestream cannot go on. A new generation begins,
 *   and the state is proving. If one began only just now, the state is waiting until another may begin, and Litestream
 *   goes on; → open (a look finds again all that was missing, as in a store whose listings were late).
 * - proving, Litestream runs and nothing that it confirms counts yet → open (a look has found the new generation
 *   whole).
 * - any → off (`stop`).
 */
export class ReplicaGuard {
  readonly #options: ReplicaGuardOptions;
  readonly #watch: ReplicaWatch;
  #state: GuardState = 'off';
  /** Databases whose new generation was not seen in the replica yet. */
  #renewed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** In the state waiting: the `isMissed` of `#renew`. */
  #isMissed = false;
  /** Aborted by `stop`. */
  #running = new AbortController();
  #refusal: string | undefined;

  constructor(options: ReplicaGuardOptions) {
    this.#options = options;
    const { deployment, history } = options;
    this.#watch = new ReplicaWatch({
      config: deployment.config,
      env: { ...process.env, ...deployment.secrets },
      databases: deployment.databases,
      isCompared: (database, generation) => history.isCompared(database, generation),
      isUrgent: () => this.#state === 'proving',
      onLook: (findings) => this.#onLook(findings),
      onRefused: (reason) => this.#onRefused(reason),
    });
  }

  /** What is wrong beside what the history tells; undefined when nothing is. */
  get trouble(): string | undefined {
    const reason = this.#refusal ?? this.#options.replicator.checkTrouble;
    return reason && `the content of the replica cannot be looked at: ${reason}`;
  }

  /** Starts Litestream, now or when the databases were compared with the replica. Does not wait for the comparison. */
  async start(): Promise<void> {
    const { history, replicator, isOwner } = this.#options;
    this.#running = new AbortController();
    if (history.waitsBecause === undefined && isOwner()) {
      this.#state = 'open';
      replicator.pass();
      await replicator.start();
      this.#look();
      return;
    }
    this.#state = 'comparing';
    replicator.hold();
    replicator.probe();
    void this.#compare(COMPARE_INTERVAL_MIN_MS);
  }

  stop(): void {
    this.#state = 'off';
    this.#running.abort();
    clearTimeout(this.#timer);
    this.#watch.stop();
  }

  /** Litestream has confirmed an upload. */
  confirmed: ReplicaWatch['confirmed'] = (confirmation) => this.#watch.confirmed(confirmation);

  /** Litestream has ended. When it starts again, it may begin another generation. */
  litestreamEnded(): void {
    this.#watch.noteOwn();
  }

  /** Litestream fails again and again with the same error, though the store can be reached. */
  async wedged(reason: string, database: string | undefined): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'proving') return;
    const { deployment } = this.#options;
    const { signal } = this.#running;
    const probe = await probeReplica(deployment.config, { ...process.env, ...deployment.secrets });
    // A store that refuses uploads would refuse a new generation too.
    if (signal.aborted || !probe.ok) return;
    this.#renew(
      database === undefined ? deployment.databases : [database],
      `Litestream fails again and again (${reason}).`,
      false,
    );
  }

  /** A drill could not restore the newest state of some databases from the replica. @param reason in words */
  damaged(databases: readonly string[], reason: string): void {
    // In the other states a new generation begins anyway, or a person has to decide.
    if (this.#state !== 'open' || this.#options.deployment.litestream.format !== 'wal') return;
    this.#renew(databases, `A drill has found: ${reason}.`, false);
  }

  #look(): void {
    // The objects of Litestream 0.5 have other names, and Litestream merges them all the time.
    if (this.#options.deployment.litestream.format === 'wal') this.#watch.start();
    else if (this.#state === 'proving') this.#open();
  }

  #onLook(findings: readonly Finding[]): void {
    if (!['open', 'proving', 'waiting'].includes(this.#state)) return;
    const inDoubt = findings.filter(({ kind }) => kind !== 'loss');
    const texts = (inDoubt.length > 0 ? inDoubt : findings).map(({ text }) => text).join(' ');
    for (const finding of inDoubt)
      if (finding.kind === 'foreign') this.#options.history.doubt(finding.database, finding.grown ?? []);
    if (inDoubt.length > 0) void this.#compareAgain(texts);
    else if (findings.length > 0) {
      const lost = findings.flatMap((finding) => (finding.kind === 'loss' ? finding.database : []));
      if (this.#state !== 'waiting') this.#renew(lost, texts, true);
    } else if (this.#state === 'waiting' && this.#isMissed) {
      clearTimeout(this.#timer);
      this.#open();
    } else if (this.#state === 'proving') {
      if ([...this.#renewed].every((database) => this.#watch.hasUploaded(database))) this.#open();
    }
  }

  #onRefused(reason: string | undefined): void {
    if (reason === this.#refusal) return;
    this.#refusal = reason;
    this.#options.onChange();
  }

  #open(): void {
    const { replicator, onProven, onChange } = this.#options;
    this.#state = 'open';
    this.#renewed.clear();
    replicator.pass();
    onProven();
    onChange();
  }

  /**
   * Begins a new generation of some databases, or waits until another may begin.
   * @param isMissed whether nothing else is wrong than that a look has not found something; a later one may find it
   *   again
   */
  #renew(databases: readonly string[], text: string, isMissed: boolean): void {
    const { history, replicator } = this.#options;
    replicator.hold();
    const waitMs = history.renewalWaitMs(Date.now());
    if (waitMs > 0) {
      this.#state = 'waiting';
      this.#isMissed = isMissed;
      const minutes = Math.ceil(waitMs / 60_000);
      history.found(
        `${text} Nothing counts as replicated until a new generation has begun, in ${minutes} min: one began only just now.`,
      );
      this.#timer = setTimeout(() => this.#renewNow(databases), Math.min(waitMs, TIMER_MAX_MS)).unref();
      return;
    }
    history.found(
      `${text} A new generation of ${databases.join(' and ')} begins, and nothing counts as replicated until it is there.`,
    );
    this.#renewNow(databases);
  }

  #renewNow(databases: readonly string[]): void {
    const { deployment, history, replicator } = this.#options;
    const { DATA_DIR } = deployment.config;
    this.#state = 'proving';
    const sizes = databases.map(
      (database) => statSync(databasePath(DATA_DIR, database), { throwIfNoEntry: false })?.size ?? 0,
    );
    history.renewed(Date.now());
    for (const database of databases) {
      this.#renewed.add(database);
      this.#watch.forget(database);
    }
    replicator.renew(
      databases,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    this.#watch.wake();
  }

  async #compareAgain(text: string): Promise<void> {
    const { history, replicator } = this.#options;
    this.#state = 'comparing';
    this.#watch.stop();
    clearTimeout(this.#timer);
    replicator.hold();
    history.found(`${text} It is compared with the database, and nothing is uploaded until then.`);
    const { signal } = this.#running;
    this.#watch.noteOwn();
    // At once: a Litestream that gets SIGTERM uploads first.
    await replicator.kill('it is in doubt whose the replica is');
    if (!signal.aborted) await this.#compare(0);
  }

  /** Compares the replica with the databases, and then starts Litestream, which would add to it unseen before that. */
  async #compare(delayMs: number): Promise<void> {
    const { history, replicator, running, isOwner, compare } = this.#options;
    const { signal } = this.#running;
    let intervalMs = Math.max(delayMs, COMPARE_INTERVAL_MIN_MS);
    try {
      if (delayMs > 0) await delay(delayMs, undefined, { signal });
      for (;;) {
        if (!isOwner()) {
          await delay(COMPARE_INTERVAL_MIN_MS, undefined, { signal });
          continue;
        }
        if ((await silenceOf(running())) === undefined) {
          signal.throwIfAborted();
          // Meanwhile the mark belongs to the process that compares.
          history.close(false);
          const exit = await compare();
          signal.throwIfAborted();
          history.open();
          if (exit.code === 0 && history.waitsBecause === undefined) break;
          const failure = exit.code === 0 ? undefined : finalFailure(exit);
          if (failure && failure.meaning.exitCode !== EXIT_TRY_AGAIN) throw failure;
        }
        await delay(intervalMs, undefined, { signal });
        intervalMs = Math.min(2 * intervalMs, COMPARE_INTERVAL_MAX_MS);
      }
      this.#state = 'proving';
      this.#renewed.clear();
      await replicator.start();
      if (!signal.aborted) this.#look();
    } catch (error) {
      if (signal.aborted) return;
      this.#state = 'refused';
      history.refused((error as Error).message);
    }
  }
}

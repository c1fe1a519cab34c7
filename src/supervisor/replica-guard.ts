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

/** Between two looks at whether a replica that could not be compared can be; it doubles while that fails. */
const COMPARE_INTERVAL_MIN_MS = 1000;
const COMPARE_INTERVAL_MAX_MS = 30_000;
/** Of a comparison that the replica did not answer. */
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
 * Sees to it that nothing is added to a replica that another history is in, and that nothing counts as replicated by
 * one that has lost something. States and who moves them:
 * - off → open (`start`, where the databases were compared with the replica and it is this system's), or comparing
 *   (where that is not known yet).
 * - comparing, Litestream is stopped → proving (nothing is against it, Litestream is started) or refused (a person has
 *   to decide; Litestream stays stopped).
 * - open, what Litestream confirms counts → comparing (a look has found what this system did not make, or that the disk of
 *   the replica is not mounted), or renewing.
 * - renewing: something was lost, or a drill could not restore it, or Litestream cannot go on. A new generation begins, and it is proving; where one
 *   began only just now it is waiting until another may begin, and Litestream goes on as it is; → open (a look finds again
 *   all that was missing, as in a store whose listings were late).
 * - proving, Litestream runs and nothing that it confirms counts yet → open (a look has found it whole).
 * - any → off (`stop`).
 */
export class ReplicaGuard {
  readonly #options: ReplicaGuardOptions;
  readonly #watch: ReplicaWatch;
  #state: GuardState = 'off';
  /** Those whose new generation has not been seen in the replica. */
  #renewed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** While it is waiting: as of `#renew`. */
  #isMissed = false;
  /** Aborted when it is off. */
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

  /** Starts Litestream, now or when the databases are compared with the replica. Resolves when there is nothing to wait for. */
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

  /** Litestream has uploaded something. */
  confirmed: ReplicaWatch['confirmed'] = (confirmation) => this.#watch.confirmed(confirmation);

  /** Litestream has ended, and may begin another generation when it is started again. */
  litestreamEnded(): void {
    this.#watch.noteOwn();
  }

  /** Litestream fails again and again at the same, though the store is there. */
  async wedged(reason: string, database: string | undefined): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'proving') return;
    const { deployment } = this.#options;
    const { signal } = this.#running;
    const probe = await probeReplica(deployment.config, { ...process.env, ...deployment.secrets });
    // A store that refuses what is written to it refuses a new generation too.
    if (signal.aborted || !probe.ok) return;
    this.#renew(
      database === undefined ? deployment.databases : [database],
      `Litestream fails again and again (${reason}).`,
      false,
    );
  }

  /** A drill could not restore the newest state of some databases from the replica. @param reason in words */
  damaged(databases: readonly string[], reason: string): void {
    // Where nothing counts as replicated a new generation begins anyway, or a person has to decide.
    if (this.#state !== 'open' || this.#options.deployment.litestream.format !== 'wal') return;
    this.#renew(databases, `A drill has found: ${reason}.`, false);
  }

  #look(): void {
    // Of Litestream 0.5 the objects have other names, and are merged by it all the time.
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
   * @param isMissed whether all that is wrong is that a look has not found something, which a later one may find again
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
    // SIGTERM would upload.
    await replicator.kill('it is in doubt whose the replica is');
    if (!signal.aborted) await this.#compare(0);
  }

  /** Litestream would add to a replica that nobody has compared with the databases: it starts when that is done. */
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
          // The mark is the comparing process's meanwhile.
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

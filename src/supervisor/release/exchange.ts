import { settingNames } from '../../config/config.ts';
import type { Schema } from '../../messages/positions.ts';
import type { ReleaseName, ReleasesSnapshot } from '../../messages/snapshot.ts';
import { Failure } from '../../platform/errors.ts';
import { isDiskFull } from '../../platform/free-disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Events } from '../events.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { PROCESSES } from '../processes.ts';
import type { RollingReplacement } from '../rolling-replacement.ts';
import type { ServingTier } from '../serving-tier.ts';
import type { Slot } from '../slot.ts';
import { CrashWatch } from './crash-watch.ts';
import { type Deployable, deployable } from './deploy.ts';
import type { Deployment } from './deployment.ts';
import { isFaultOfRelease } from './fault.ts';
import { refusalOf } from './inspection.ts';
import { nameOf } from './name-of.ts';
import type { ReloadOutcome } from './outcome.ts';
import type { Releases } from './releases.ts';
import type { Settled } from './settle.js';
import type { StoredRelease } from './store.js';
import { type TrialResult, tryRelease } from './trial.ts';

export interface ExchangeOptions {
  readonly releases: Releases;
  readonly settled: Settled;
  readonly lifecycle: Lifecycle;
  readonly writer: Slot;
  readonly serving: ServingTier;
  /** Slots of the chassis that are exchanged with the background processes. */
  readonly beside: readonly Slot[];
  readonly replacement: RollingReplacement;
  readonly factory: ProcessFactory;
  /** Tells a system that could take over about migrations, by their newest number, before they are applied. */
  readonly announce?: ((schema: Schema, needs: Schema) => Promise<void>) | undefined;
  /** The deployment of the primary itself, which does not change while it lives. */
  readonly primary: Deployment;
  readonly log: Logger;
  readonly events: Events;
}

export interface ReloadRequest {
  readonly cause: string;
  /** A folder other than the one that the system was started from. */
  readonly folder?: string | undefined;
  /** Brings back the previous release, whatever is on the disk. */
  readonly isRollback?: boolean;
  /** Whether writes may wait longer than WRITE_DEADLINE_MS for the migrations. */
  readonly isConfirmed?: boolean;
}

/**
 * Brings another release into service while the system runs, in this order: it is copied, asked what it is, and tried;
 * then the writer is exchanged, which migrates, then the background processes, then the workers. States and who moves
 * them: idle → taking (`reload`) → trying → exchanging → idle. A failure before `exchanging` changes nothing. A failure
 * in it undoes the exchanges; where a migration was applied that the old writer cannot live with, the new writer stays.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #startedEnv: NodeJS.ProcessEnv;
  /** The settings in force. */
  #env: NodeJS.ProcessEnv;
  #state: 'idle' | 'taking' | 'trying' | 'exchanging' = 'idle';
  /** The last step that the dry run has told. */
  #step = '';
  /** What the start has said of the code that it chose; empty once another release is in service. */
  #settled: Pick<Settled, 'because' | 'degraded'>;
  #previous: ReleaseName | null = null;
  #rollbackProblem: string | null = null;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#startedEnv = options.releases.environment();
    this.#env = this.#startedEnv;
    this.#settled = options.settled;
  }

  /** Which releases run. */
  get snapshot(): ReleasesSnapshot {
    const { primary, writer, serving } = this.#options;
    return {
      primary: releaseName(primary.release),
      writer: releaseName(writer.deployment.release),
      workers: releaseName(serving.deployment.release),
      previous: this.#previous,
      rollbackProblem: this.#rollbackProblem,
      because: this.#settled.because ?? null,
    };
  }

  /** The releases that run, by name; two where an exchange was interrupted half-way. */
  get #running(): string {
    const { writer, serving } = this.#options;
    const [ofWriter, ofWorkers] = [writer.deployment.release, serving.deployment.release];
    const rest = nameOf(ofWorkers);
    return ofWriter.hash === ofWorkers.hash ? rest : `${rest}, the writer ${nameOf(ofWriter)}`;
  }

  /** What is wrong with the releases that run, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    const { writer, serving } = this.#options;
    const [ofWriter, ofWorkers] = [writer.deployment.release, serving.deployment.release];
    if (this.#state === 'idle' && ofWriter.hash !== ofWorkers.hash) {
      return `the writer runs release ${nameOf(ofWriter)}, and everything else ${nameOf(ofWorkers)}: ninelives reload brings the rest in, ninelives rollback takes the writer back; where both are refused, mend the code first`;
    }
    return this.#settled.degraded;
  }

  /** Finds out whether the previous release could be brought back now: its files, its packages, the databases. */
  async judgeRollback(): Promise<void> {
    const { releases, serving } = this.#options;
    this.#previous = null;
    this.#rollbackProblem = null;
    try {
      const release = await releases.previous();
      this.#previous = releaseName(release);
      const inspection = await releases.inspect(release, serving.deployment.config);
      this.#rollbackProblem = refusalOf(inspection) ?? null;
    } catch (error) {
      this.#rollbackProblem = (error as Error).message;
    }
  }

  /**
   * @returns what was exchanged
   * @throws Failure why the release did not come up; what runs goes on
   */
  async reload(request: ReloadRequest): Promise<ReloadOutcome> {
    const { lifecycle, releases, serving, log, events } = this.#options;
    lifecycle.demandServing();
    if (this.#state !== 'idle') throw new Failure('not_ready', `A reload is under way${this.#trialStep()}`);
    this.#state = 'taking';
    let release: StoredRelease | undefined;
    try {
      release = request.isRollback
        ? await releases.previous()
        : await releases.take(request.folder, serving.deployment.release);
      const outcome = await this.#bringIn(release, request);
      log.info({ ...outcome, cause: request.cause }, `reload done: ${outcome.from} → ${outcome.to}`);
      events.record('reload', { cause: `${request.cause}: ${outcome.from} → ${outcome.to}` });
      return outcome;
    } catch (error) {
      throw error instanceof Failure
        ? this.#refuse(release, error)
        : this.#refuse(undefined, ofMachine(error));
    } finally {
      this.#state = 'idle';
      await releases.prune(this.#inUse());
    }
  }

  /** @returns which step takes so long, and how to give it up: SQLite can only be killed meanwhile */
  #trialStep(): string {
    const trial = this.#options.factory.living.find(({ name }) => name === PROCESSES.dryRun.role);
    if (trial?.pid === undefined) return '';
    return `: ${this.#step}, on a copy. Where that does not end, kill -KILL ${trial.pid} gives it up, and nothing is exchanged`;
  }

  async #bringIn(release: StoredRelease, request: ReloadRequest): Promise<ReloadOutcome> {
    const { releases, serving, factory, log, events } = this.#options;
    const running = serving.deployment;
    const env = releases.environment();
    const next = await deployable({
      env,
      release,
      running,
      releases,
      startedEnv: this.#startedEnv,
    });
    releases.watch(release);
    this.#state = 'trying';
    const onStep = (step: string, pid: number | undefined) => {
      events.record('reload-step', { child: 'dry-run', pid, cause: `${step}, on a copy` });
      this.#step = step;
    };
    const trial = await tryRelease({ factory, running, next, onStep });
    this.#demandConfirmed(trial, next, request);
    this.#state = 'exchanging';
    const from = this.#running;
    const formerWriter = this.#options.writer.deployment.release;
    const replaced = await this.#exchange(running, next, trial, request.cause);
    releases.exchanged(release);
    if (request.isRollback) this.#leave([running.release, formerWriter], release);
    this.#settled = { because: undefined, degraded: undefined };
    await this.judgeRollback();
    log.level = next.deployment.config.LOG_LEVEL;
    const names = [...settingNames(), ...next.deployment.settings.map(({ name }) => name)];
    const settings = names.filter((name) => (env[name] || '') !== (this.#env[name] || ''));
    this.#env = env;
    return {
      from,
      to: nameOf(release),
      replaced,
      notes: this.#notes(release, settings, request),
    };
  }

  /** Records releases as refused: they are still on the disk, where a start after a reboot would take them. */
  #leave(left: readonly StoredRelease[], release: StoredRelease): void {
    for (const each of left.filter(({ hash }) => hash !== release.hash))
      this.#options.releases.refused(each, new Failure('release_unusable', 'it was rolled back'));
  }

  #demandConfirmed({ migrateMs, migrations }: TrialResult, next: Deployable, request: ReloadRequest): void {
    const { WRITE_DEADLINE_MS } = next.deployment.config;
    if (request.isConfirmed || migrateMs <= WRITE_DEADLINE_MS) return;
    throw new Failure(
      'usage',
      `Writes would wait ${migrateMs} ms for ${migrations.join(', ')}, as tried on a copy, and are answered 503 after WRITE_DEADLINE_MS=${WRITE_DEADLINE_MS}; reads go on. To do it all the same: ninelives reload --yes`,
    );
  }

  /** @returns the names of the processes that were exchanged, started or ended, in order */
  async #exchange(
    running: Deployment,
    { deployment, compatibility }: Deployable,
    trial: TrialResult,
    cause: string,
  ): Promise<string[]> {
    const { writer, serving, beside, releases, replacement } = this.#options;
    const done: Slot[] = [];
    const crashes = new CrashWatch();
    const formerWriter = writer.deployment;
    if (trial.migrations.length > 0)
      await this.#options.announce?.(
        newestOf(compatibility, () => true),
        newestOf(compatibility, ({ isCompatible }) => !isCompatible),
      );
    try {
      await replacement.series(async (replace) => {
        releases.writerGoesTo(deployment.release);
        for (const slot of [writer, ...beside, ...serving.backgroundsOf(deployment), ...serving.workers]) {
          await replace(slot, { deployment, cause });
          done.push(slot);
          crashes.add(slot);
          await crashes.demandSound();
        }
        await crashes.demandLasting();
      });
      return [...done.map(({ name }) => name), ...(await serving.adopt(deployment, cause))];
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw await this.#goBack({ running, formerWriter, done, trial, error, deployment });
    } finally {
      crashes.end();
    }
  }

  /**
   * After a failure, exchanges the processes back, in reverse order: all of them where the former writer can live with
   * the database as it is now, else all but the new writer.
   * @returns the failure, with what runs now
   */
  async #goBack({ running, formerWriter, done, trial, error, deployment }: Halfway): Promise<Failure> {
    const { writer, releases, replacement, log, lifecycle } = this.#options;
    const cause = `release ${nameOf(deployment.release)} did not come up`;
    if (!lifecycle.isServing) return error;
    try {
      const isReversible = done.includes(writer)
        ? trial.breaking.length === 0
        : refusalOf(await releases.inspect(formerWriter.release, formerWriter.config)) === undefined;
      await replacement.series(async (replace) => {
        for (const slot of done.filter((candidate) => candidate !== writer).reverse())
          await replace(slot, { deployment: running, cause });
        if (done.includes(writer) && isReversible) await replace(writer, { deployment: formerWriter, cause });
        // The new writer has migrated, and its successor has died: only its own release can go on with the database.
        else if (!done.includes(writer) && !isReversible) await replace(writer, { deployment, cause });
      });
      if (isReversible) {
        releases.writerGoesTo(formerWriter.release);
        return new Failure(
          error.code,
          `${error.message}. Everything went back to release ${nameOf(running.release)}`,
        );
      }
      const { breaking } = trial;
      return new Failure(
        error.code,
        `${error.message}. The writer stays on release ${nameOf(deployment.release)}, since the older one cannot live with ${breaking.join(', ')}; everything else runs release ${nameOf(running.release)}. Mend the code and reload, or restore to a time before (ninelives restore --in-place --at)`,
      );
    } catch (second) {
      log.error({ err: second }, 'going back to the release before stopped half-way');
      return new Failure(
        error.code,
        `${error.message}. Going back stopped as well: ${(second as Error).message}; ninelives status shows which process runs which release`,
      );
    }
  }

  /** @returns the failure, with what goes on */
  #refuse(release: StoredRelease | undefined, error: Failure): Failure {
    const { releases, serving, log, events } = this.#options;
    const before = nameOf(serving.deployment.release);
    const name = release ? `release ${nameOf(release)}` : 'the code';
    // `#goBack` has said what runs now.
    const whatRuns = this.#state === 'exchanging' ? '' : ` Nothing was exchanged: release ${before} goes on.`;
    const isPassing = release !== undefined && error.code === 'not_ready';
    const advice = isPassing ? ' That is no fault of the release: reload again.' : '';
    const message = `${error.message.replace(/\.?$/, '.')}${whatRuns}${advice}`;
    log.error({ code: error.code, err: error.cause }, `reload refused ${name}: ${message}`);
    events.record('reload-failed', { cause: message });
    const isOther = release !== undefined && release.hash !== serving.deployment.release.hash;
    if (isOther && isFaultOfRelease(error)) releases.refused(release, error);
    const { code, options } = error;
    return new Failure(code, message, options);
  }

  #notes(release: StoredRelease, settings: readonly string[], { folder }: ReloadRequest): string[] {
    const { primary, releases } = this.#options;
    const other = folder === undefined ? undefined : releases.startedFromOther(release);
    return [
      ...(settings.length === 0 ? [] : [`settings that were changed: ${settings.join(', ')}`]),
      ...(primary.release.hash === release.hash
        ? []
        : [`the primary still runs ${nameOf(primary.release)}; restart when convenient`]),
      ...(other === undefined
        ? []
        : [`a start after a stop or a reboot takes the code in ${other} again: deploy this release there`]),
    ];
  }

  #inUse(): Set<string> {
    const { writer, serving, primary, factory } = this.#options;
    const deployments = [primary, writer.deployment, serving.deployment, ...factory.deploymentsInUse];
    return new Set(deployments.map(({ release }) => release.hash));
  }
}

/** An error of the machine, such as a full disk, for which the release is not to blame. */
function ofMachine(error: unknown): Failure {
  const code = isDiskFull(error) ? 'storage_full' : 'internal';
  return new Failure(code, `It cannot be brought in: ${(error as Error).message}`, { cause: error });
}

function releaseName({ version, hash }: StoredRelease): ReleaseName {
  return { version, hash };
}

/** @returns the newest pending migration that `isMeant` accepts, by database and owner */
function newestOf(
  compatibility: Deployable['compatibility'],
  isMeant: (migration: { readonly isCompatible: boolean }) => boolean,
): Schema {
  return Object.fromEntries(
    Object.entries(compatibility).map(([database, { pending }]) => [
      database,
      Object.fromEntries(
        pending.filter(isMeant).map(({ owner, name }) => [owner, Number.parseInt(name, 10)]),
      ),
    ]),
  );
}

interface Halfway {
  readonly running: Deployment;
  readonly formerWriter: Deployment;
  readonly deployment: Deployment;
  /** The slots that were exchanged, in order. */
  readonly done: readonly Slot[];
  readonly trial: TrialResult;
  readonly error: Failure;
}

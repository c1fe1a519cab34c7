import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { readDotEnv } from '../../config/environment-file.js';
import { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { compileCacheOf, seedCompileCache, shareCompiled } from './compile-cache.js';
import { type Current, readCurrent, withoutRefusal, withRefusal, writeCurrent } from './current.js';
import type { Release } from './deployment.ts';
import { isFaultOfRelease } from './fault.ts';
import { type Inspection, inspectRelease } from './inspection.ts';
import type { Invocation } from './invocation.ts';
import { nameOf } from './name-of.ts';
import {
  findRelease,
  hasPackages,
  isCopy,
  packagesProblem,
  pruneReleases,
  releasesFolder,
  type StoredRelease,
  storeRelease,
  syncRelease,
  watchRelease,
} from './store.js';
import { readTree } from './tree.js';

/** By then every process has written what it has compiled. */
const SHARE_DELAY_MS = 5000;

export interface ReleasesOptions {
  readonly invocation: Invocation;
  readonly dataDir: string;
  /** Absolute paths that hold data, not code. */
  readonly data: readonly string[];
  readonly log: Logger;
}

/**
 * The releases of one system on its disk, and the record of which run. The record is: (writer A, workers A) → (writer
 * B, workers A) (`writerGoesTo`, before B migrates) → (B, B) (`exchanged`), or back to A (`writerGoesTo`). After a
 * kill, the next start runs what the record says.
 */
export class Releases {
  readonly #options: ReleasesOptions;
  readonly #store: string;
  /** By hash: finds the first file of a copy that was changed. */
  readonly #watches = new Map<string, () => string | undefined>();
  /** Hashes of releases that are being copied anew. */
  readonly #copying = new Set<string>();
  /** The record as it was written last. */
  #written: Current | undefined;
  /** What the record said when this start began; undefined before that, and once the system is up. */
  #wentBy: Pick<Current, 'isStopped' | 'next'> | undefined;

  constructor(options: ReleasesOptions) {
    this.#options = options;
    this.#store = releasesFolder(options.dataDir);
  }

  /** @throws Error of the disk */
  get current(): Current {
    return readCurrent(this.#store);
  }

  /**
   * @returns the settings as they are now: the environment of the start, and `.env` read anew
   * @throws Failure config_invalid when `.env` cannot be read
   */
  environment(): NodeJS.ProcessEnv {
    const { environment, installation } = this.#options.invocation;
    const path = join(installation, '.env');
    try {
      return { ...readDotEnv(path), ...environment };
    } catch (cause) {
      throw new Failure('config_invalid', (cause as Error).message, { cause });
    }
  }

  /**
   * Asks a release what it is.
   * @param running whose log format replaces `auto`, since an inspection has no terminal
   * @param env the settings; by default as they are now
   * @throws Failure as `inspectRelease` and `environment`
   */
  async inspect(
    release: StoredRelease,
    { LOG_FORMAT, START_TIMEOUT_MS }: Pick<Config, 'LOG_FORMAT' | 'START_TIMEOUT_MS'>,
    env = this.environment(),
  ): Promise<Inspection> {
    const { installation } = this.#options.invocation;
    return inspectRelease(release, {
      installation,
      env: { ...env, LOG_FORMAT },
      timeoutMs: START_TIMEOUT_MS,
    });
  }

  /**
   * Copies the code that shall run next.
   * @param folder that was named; by default the project's folder as it was invoked, its links resolved anew
   * @param running whose compiled code it may share, where the code is the same
   * @throws Failure release_unusable, release_changing
   */
  async take(folder: string | undefined, running: Release): Promise<StoredRelease> {
    const { invocation, data } = this.#options;
    const source = folder ?? invocation.root;
    try {
      const release = await storeRelease(source, this.#store, data, { app: invocation.app });
      seedCompileCache(release.folder, compileCacheOf(running.folder));
      await syncRelease(release.folder);
      return release;
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(
        'release_unusable',
        `The code in ${source} cannot be copied to ${this.#store} (${(error as Error).message})`,
        { cause: error },
      );
    }
  }

  /**
   * @returns the previous release
   * @throws Failure release_unusable when there is none, or its packages are gone
   */
  async previous(): Promise<StoredRelease> {
    const { writer, workers, previous } = this.current;
    // After an exchange that stopped half-way, the workers still run the previous release.
    const hash = workers === writer ? previous : workers;
    if (hash === null)
      throw new Failure('release_unusable', 'There is no way back: no other release has run here');
    const release = await this.find(hash);
    const problem = await packagesProblem(release);
    if (problem === undefined) return release;
    throw new Failure('release_unusable', `Release ${nameOf(release)} cannot run: ${problem}`);
  }

  /** @throws Failure release_unusable when there is no whole copy of the release */
  async find(hash: string): Promise<StoredRelease> {
    const release = await findRelease(this.#store, hash);
    if (release) return release;
    throw new Failure('release_unusable', `The copy of release ${hash} is gone or damaged`);
  }

  /**
   * Checks that a release is as it was when it was brought into service: a process that would only crash is not
   * started.
   * @throws Failure release_unusable
   */
  check(release: Release): void {
    if (!hasPackages(release)) {
      throw new Failure(
        'release_unusable',
        `the packages in ${release.nodeModules} are gone, or are being installed. Bring them back (npm ci)`,
      );
    }
    const changed = this.#watches.get(release.hash)?.();
    if (changed === undefined) return;
    void this.#copyAnew(release);
    throw new Failure(
      'release_unusable',
      `${join(release.folder, changed)} was changed or removed; nothing is started from it before it is copied anew from ${release.root}. Where that is gone or has other code by now, reload or restart`,
    );
  }

  /** Makes a damaged copy anew. Processes that run from it go on meanwhile. */
  async #copyAnew(release: Release): Promise<void> {
    const { hash, root } = release;
    if (this.#copying.has(hash)) return;
    this.#copying.add(hash);
    const { invocation, data, log } = this.#options;
    try {
      const { app } = invocation;
      const known = await readTree(root, data, app);
      if (known.hash !== hash) return;
      // The record lies beside the copies. If it went with them, it is back before anything runs from the new copy.
      if (this.#written && this.current.workers === null) writeCurrent(this.#store, this.#written);
      await syncRelease((await storeRelease(root, this.#store, data, { known, app })).folder);
      this.watch(release);
      log.warn(`the copy of release ${nameOf(release)} was damaged, and was made anew from ${root}`);
    } catch (err) {
      log.warn({ err }, `the copy of release ${nameOf(release)} is damaged, and cannot be made anew`);
    } finally {
      this.#copying.delete(hash);
    }
  }

  /** From now on each fork checks that the files of the release are as they are now. */
  watch(release: StoredRelease): void {
    if (isCopy(release)) this.#watches.set(release.hash, watchRelease(release));
  }

  /** A start begins: the record names its release before it migrates, and says no longer that the system is stopped. */
  started(writer: Release): void {
    this.#write(({ isStopped, next }) => {
      this.#wentBy = { isStopped, next };
      return { writer: writer.hash, isStopped: false, next: null };
    });
  }

  /** The system serves or stands by: the next start goes on with this release, however this one ends. */
  cameUp(): void {
    this.#wentBy = undefined;
  }

  /** The system has ended, by no fault of its code. If it had not come up, the record is as before the start again. */
  failed(): void {
    const wentBy = this.#wentBy;
    if (wentBy) this.#write(() => wentBy);
  }

  /** @returns the project's folder, where a start finds its code, if this release comes from another one */
  startedFromOther({ root }: Release): string | undefined {
    const folder = this.#options.invocation.root;
    try {
      return realpathSync(folder) === root ? undefined : folder;
    } catch {
      return folder;
    }
  }

  /** @returns whether every process was of this release at some time */
  #hasServed({ hash }: Release): boolean {
    return this.current.workers === hash;
  }

  /** Every process that was started serves. */
  async served(writer: StoredRelease, workers: StoredRelease): Promise<void> {
    this.cameUp();
    if (writer.hash === workers.hash) this.exchanged(workers);
    await this.prune([]);
    if (!isCopy(workers)) return;
    await syncRelease(workers.folder).catch((err) =>
      this.#options.log.warn({ err }, 'the copy of the code may not survive a loss of power'),
    );
    setTimeout(() => shareCompiled(workers), SHARE_DELAY_MS).unref();
  }

  /** The writer of this release is about to migrate: syncs that in the record. @throws Error of the disk */
  writerGoesTo(writer: Release): void {
    // Nothing to write then: a full disk shall not keep a reload from bringing in settings.
    if (this.current.writer === writer.hash) return;
    this.#written = writeCurrent(this.#store, { writer: writer.hash });
  }

  /** Every process is of one release now. */
  exchanged(workers: Release): void {
    this.#write((current) => ({
      writer: workers.hash,
      workers: workers.hash,
      refused: withoutRefusal(current, workers.hash),
      ...(current.workers !== null && current.workers !== workers.hash && { previous: current.workers }),
    }));
  }

  /** A release did not come up: no start takes it from the disk again by itself. */
  refused(release: Pick<Release, 'hash'>, failure: Failure): void {
    this.#write((current) => ({
      refused: withRefusal(current, release.hash, failure),
      ...(this.#wentBy && { isStopped: this.#wentBy.isStopped }),
    }));
  }

  /** A start has failed. @returns whether its code is to blame; then no start takes it again by itself */
  blames(release: Release, error: unknown): boolean {
    const isToBlame = error instanceof Failure && isFaultOfRelease(error) && !this.#hasServed(release);
    if (isToBlame) this.refused(release, error);
    return isToBlame;
  }

  /** The system was asked to stop, and has stopped. */
  stopped(): void {
    this.#write(() => ({ ...this.#wentBy, isStopped: true }));
  }

  /** Removes the copies that are not needed any more. @param inUse hashes of the releases that processes run */
  async prune(inUse: Iterable<string>): Promise<void> {
    try {
      const { writer, workers, previous } = this.current;
      const kept = new Set([...inUse, writer, workers, previous].filter((hash) => hash !== null));
      await pruneReleases(this.#store, kept);
    } catch (err) {
      this.#options.log.warn({ err }, 'copies of old releases could not be removed');
    }
  }

  /** A full disk keeps no system from serving: a start after a kill then goes by the older record. */
  #write(change: (current: Current) => Partial<Current>): void {
    try {
      this.#written = writeCurrent(this.#store, change(this.current));
    } catch (err) {
      this.#options.log.warn(
        { err },
        'which release runs cannot be kept: a start after a kill goes by an older record',
      );
    }
  }
}

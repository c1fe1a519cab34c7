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

/** When every process has written what it has compiled. */
const SHARE_DELAY_MS = 5000;

export interface ReleasesOptions {
  readonly invocation: Invocation;
  readonly dataDir: string;
  /** Absolute paths that hold data, not code. */
  readonly data: readonly string[];
  readonly log: Logger;
}

/**
 * The releases of one system on its disk, and the record of which run. The record is: (writer A, workers A) → (writer B,
 * workers A) (`writerGoesTo`, before B migrates) → (B, B) (`exchanged`), or back to A (`writerGoesTo`). A start after a kill
 * goes by it.
 */
export class Releases {
  readonly #options: ReleasesOptions;
  readonly #store: string;
  /** By hash: the first file that is not as it was. */
  readonly #watches = new Map<string, () => string | undefined>();
  /** Hashes of what is being copied anew. */
  readonly #copying = new Set<string>();
  /** The record as it was written last. */
  #written: Current | undefined;
  /** What this start went by; undefined once it is up, and before it begins. */
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
   * @returns the settings as they are now: the environment of the start, and `.env` anew
   * @throws Failure config_invalid when they cannot be read
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
   * @param running whose answer to `auto` counts for the log, since an inspection has no terminal
   * @param env the settings; as they are now unless told
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
   * Copies what shall run next.
   * @param folder that was named; else the project's folder as it was invoked, its links resolved anew
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
   * @returns the release before
   * @throws Failure release_unusable when there is none, or its packages are gone
   */
  async previous(): Promise<StoredRelease> {
    const { writer, workers, previous } = this.current;
    // Of an exchange that was cut in half, what everything but the writer runs is the one before.
    const hash = workers === writer ? previous : workers;
    if (hash === null)
      throw new Failure('release_unusable', 'There is no way back: no other release has run here');
    const release = await this.find(hash);
    const problem = await packagesProblem(release);
    if (problem === undefined) return release;
    throw new Failure('release_unusable', `Release ${nameOf(release)} cannot run: ${problem}`);
  }

  /** @throws Failure release_unusable when there is no whole copy of it */
  async find(hash: string): Promise<StoredRelease> {
    const release = await findRelease(this.#store, hash);
    if (release) return release;
    throw new Failure('release_unusable', `The copy of release ${hash} is gone or damaged`);
  }

  /**
   * Looks whether a release is as it was when it was brought into service. What would only crash is not started.
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

  /** What ran from it goes on meanwhile. */
  async #copyAnew(release: Release): Promise<void> {
    const { hash, root } = release;
    if (this.#copying.has(hash)) return;
    this.#copying.add(hash);
    const { invocation, data, log } = this.#options;
    try {
      const { app } = invocation;
      const known = await readTree(root, data, app);
      if (known.hash !== hash) return;
      // It was beside the copy, and is there again before anything runs from that.
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

  /** From now on each fork looks whether its files are as they are now. */
  watch(release: StoredRelease): void {
    if (isCopy(release)) this.#watches.set(release.hash, watchRelease(release));
  }

  /** The system starts: what it runs counts from the first migration on, and a stop counts no more. */
  started(writer: Release): void {
    this.#write(({ isStopped, next }) => {
      this.#wentBy = { isStopped, next };
      return { writer: writer.hash, isStopped: false, next: null };
    });
  }

  /** It serves, or stands by: from now on what runs goes on after whatever happens. */
  cameUp(): void {
    this.#wentBy = undefined;
  }

  /** It has ended, and not for a fault of its code. Where it did not come up, the next start goes by what this one went by. */
  failed(): void {
    const wentBy = this.#wentBy;
    if (wentBy) this.#write(() => wentBy);
  }

  /** @returns the project's folder, where a start finds its code, if this release is not from there */
  startedFromOther({ root }: Release): string | undefined {
    const folder = this.#options.invocation.root;
    try {
      return realpathSync(folder) === root ? undefined : folder;
    } catch {
      return folder;
    }
  }

  /** @returns whether everything was of this release once */
  #hasServed({ hash }: Release): boolean {
    return this.current.workers === hash;
  }

  /** Everything that was started serves. */
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

  /** The writer of this release is about to migrate; on the disk when this returns. @throws Error of the disk */
  writerGoesTo(writer: Release): void {
    // A full disk shall keep nobody from bringing in settings.
    if (this.current.writer === writer.hash) return;
    this.#written = writeCurrent(this.#store, { writer: writer.hash });
  }

  /** Everything is of one release now. */
  exchanged(workers: Release): void {
    this.#write((current) => ({
      writer: workers.hash,
      workers: workers.hash,
      refused: withoutRefusal(current, workers.hash),
      ...(current.workers !== null && current.workers !== workers.hash && { previous: current.workers }),
    }));
  }

  /** A release did not come up; what is on the disk runs no more of itself. */
  refused(release: Pick<Release, 'hash'>, failure: Failure): void {
    this.#write((current) => ({
      refused: withRefusal(current, release.hash, failure),
      ...(this.#wentBy && { isStopped: this.#wentBy.isStopped }),
    }));
  }

  /** A start has failed. @returns whether its code is to blame, which no start takes again by itself then */
  blames(release: Release, error: unknown): boolean {
    const isToBlame = error instanceof Failure && isFaultOfRelease(error) && !this.#hasServed(release);
    if (isToBlame) this.refused(release, error);
    return isToBlame;
  }

  /** The system was asked to stop, and has. */
  stopped(): void {
    this.#write(() => ({ ...this.#wentBy, isStopped: true }));
  }

  /** Removes the copies that nobody needs. @param inUse hashes of what a process runs */
  async prune(inUse: Iterable<string>): Promise<void> {
    try {
      const { writer, workers, previous } = this.current;
      const kept = new Set([...inUse, writer, workers, previous].filter((hash) => hash !== null));
      await pruneReleases(this.#store, kept);
    } catch (err) {
      this.#options.log.warn({ err }, 'copies of old releases could not be removed');
    }
  }

  /** A full disk keeps nobody from serving: a start after a kill then goes by what was written before. */
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

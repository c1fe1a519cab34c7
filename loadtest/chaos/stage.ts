import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Ended,
  makeTemporaryFolder,
  RunningSystem,
  removeFolder,
} from '../../src/testing/running-system.ts';
import { Load, type LoadOptions } from './clients/load.ts';
import type { RequestRecord } from './clients/record.ts';
import { Deployment } from './deployment.ts';
import type { Random } from './random.ts';

/** Longer than a child has to live to be started again without a back-off. */
const LIFE_MIN_MS = 600;
const STOP_TIMEOUT_MS = 40_000;
/** Enough that every fault meets requests under way, little enough that the clients do not starve the system. */
const LOAD = { kept: 12, fresh: 12, requestsPerSecond: 600 };
/** With the load on, something must have been answered within this. */
const FIRST_ANSWERS_MS = 20_000;

/** How the system of a stage and its commands are called. */
export interface Invocation {
  /** Folder of the code. */
  readonly root: string;
  readonly cwd: string;
  /** Node.js that runs it. */
  readonly nodePath: string;
  /** Settings that both the system and its commands get. */
  readonly env: NodeJS.ProcessEnv;
  /** User that the system runs as; undefined: this one. */
  readonly uid: number | undefined;
}

export interface StageOptions {
  readonly random: Random;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Tells whoever watches what goes on. */
  readonly progress: (text: string) => void;
}

/**
 * Where one trial takes place: a temporary folder with a copy of the code and a data folder, the system that runs
 * there, its clients, and their end. `close` leaves nothing behind, whatever has happened.
 */
export class Stage {
  readonly folder: string;
  readonly deployment: Deployment;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
  dataDir: string;
  readonly #seed: number;
  readonly #systems: RunningSystem[] = [];
  readonly #loads: Load[] = [];
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  #records: readonly RequestRecord[] = [];
  #invocation: Partial<Invocation> = {};
  #closed = false;

  constructor({ random, seed, signal, progress }: StageOptions) {
    this.random = random;
    this.signal = signal;
    this.progress = progress;
    this.#seed = seed;
    this.folder = makeTemporaryFolder();
    this.#cleanups.push(() => removeFolder(this.folder));
    this.dataDir = join(this.folder, 'data');
    try {
      this.deployment = new Deployment(join(this.folder, 'code'));
      mkdirSync(this.dataDir);
    } catch (error) {
      removeFolder(this.folder);
      throw error;
    }
  }

  /** The one that was started last. */
  get system(): RunningSystem {
    const system = this.#systems.at(-1);
    if (!system) throw new Error('no system was started');
    return system;
  }

  get systems(): readonly RunningSystem[] {
    return this.#systems;
  }

  get load(): Load {
    const load = this.#loads.at(-1);
    if (!load) throw new Error('there is no load');
    return load;
  }

  get invocation(): Invocation {
    return {
      root: this.deployment.root,
      cwd: this.dataDir,
      nodePath: process.execPath,
      env: { DATA_DIR: this.dataDir },
      uid: undefined,
      ...this.#invocation,
    };
  }

  /** Has the system and its commands called in another way from now on. */
  invokeBy(change: Partial<Invocation>): void {
    this.#invocation = { ...this.#invocation, ...change };
  }

  /** What `stopLoad` has returned; empty before. */
  get records(): readonly RequestRecord[] {
    return this.#records;
  }

  /** Has something done at the end, before the folder goes. The last one is done first. */
  defer(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Starts the system on the stage's data folder and waits until it is ready. @param env settings */
  async start(env: NodeJS.ProcessEnv = {}, readyTimeoutMs?: number): Promise<RunningSystem> {
    this.#mustBeOpen();
    // So that a trial can be held on another version of it.
    const { LITESTREAM_BIN } = process.env;
    const carried = LITESTREAM_BIN ? { LITESTREAM_BIN } : {};
    const { root, cwd, nodePath, uid, env: common } = this.invocation;
    const settings = { LOG_LEVEL: 'info', ...carried, ...common, ...env };
    const system = RunningSystem.launch(this.dataDir, settings, 'pipe', {
      root,
      cwd,
      nodePath,
      ...(uid !== undefined && { uid }),
      skip: (text) => text.includes('"msg":"request"'),
    });
    this.#systems.push(system);
    await system.ready(readyTimeoutMs);
    return system;
  }

  /** Puts the honest clients on the system, and waits until they are served. */
  async startLoad(options: Partial<LoadOptions> = {}): Promise<Load> {
    this.#mustBeOpen();
    const prefix = `c${this.#loads.length}`;
    const load = new Load({ ...LOAD, url: this.system.url, prefix, seed: this.#seed, ...options });
    this.#loads.push(load);
    await this.until(() => load.counts.acknowledged >= 20, 'the clients are served', FIRST_ANSWERS_MS);
    return load;
  }

  /** Ends the clients gently. @returns what became of every request of the trial */
  async stopLoad(): Promise<readonly RequestRecord[]> {
    this.#records = (await Promise.all(this.#loads.map((load) => load.stop()))).flat();
    return this.#records;
  }

  /** Stops the system gracefully, if it runs. @throws Error when it does not end well */
  async stopSystem(): Promise<Ended> {
    const { system } = this;
    const timer = setTimeout(() => system.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const ended = await system.stop();
    clearTimeout(timer);
    return ended;
  }

  /** @param ms milliseconds; @throws the signal's reason when the trial is called off */
  async sleep(ms: number): Promise<void> {
    await delay(Math.max(0, ms), undefined, { signal: this.signal });
  }

  /** Polls a condition that no event tells of. @throws Error when it is not met in time */
  async until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await this.sleep(5);
    }
  }

  /**
   * Calls `inject` once a second for so long; less often when what it did takes longer, since what has only just
   * come back shall have served a moment before it is hit again.
   */
  async everySecond(seconds: number, inject: (turn: number) => Promise<void>): Promise<void> {
    const startMs = performance.now();
    for (let turn = 0; performance.now() - startMs < seconds * 1000; turn += 1) {
      this.progress(`${Math.round((performance.now() - startMs) / 1000)} of ${seconds} s`);
      const turnMs = performance.now();
      await inject(turn);
      await this.sleep(Math.max(turnMs + 1000 - performance.now(), LIFE_MIN_MS));
    }
  }

  /** Ends every process and removes every file of the trial. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const load of this.#loads) load.destroy();
    const ends = [...this.#systems.map((system) => () => system.destroy()), ...this.#cleanups.reverse()];
    const errors: unknown[] = [];
    for (const end of ends) {
      try {
        await end();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'the trial could not be cleaned up');
  }

  #mustBeOpen(): void {
    this.signal.throwIfAborted();
    if (this.#closed) throw new Error('the trial is over');
  }
}

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestRecord } from '../record.ts';
import { type Ended, makeTemporaryFolder, RunningSystem, removeFolder } from '../running-system.ts';
import type { Random } from './random.ts';

/** Longer than a child has to live to be started again without a back-off. */
const LIFE_MIN_MS = 600;
const STOP_TIMEOUT_MS = 40_000;
/** Within this time after the load starts, requests must be answered. */
const FIRST_ANSWERS_MS = 20_000;

/** How the system of a stage, and its commands, are invoked. */
export interface Invocation {
  /** Folder of the code. */
  readonly root: string;
  readonly cwd: string;
  /** The Node.js that runs the system. */
  readonly nodePath: string;
  /** Settings for both the system and its commands. */
  readonly env: NodeJS.ProcessEnv;
  /** The user that the system runs as; undefined: this one. */
  readonly uid: number | undefined;
  /** The arguments after `ninelives start`. */
  readonly args: readonly string[];
}

/** The number of clients, and their request rate. */
export interface LoadShape {
  /** Clients that keep their connection. */
  readonly kept: number;
  /** Clients that make a connection for each request. */
  readonly fresh: number;
  /** The rate of all clients together. */
  readonly requestsPerSecond: number;
}

/** Enough load that every fault meets requests under way, and not so much that the clients starve the system. */
export const LOAD: LoadShape = { kept: 12, fresh: 12, requestsPerSecond: 600 };

/** The honest clients of a system. */
export interface Load<SomeRecord extends RequestRecord = RequestRecord> {
  /** The counts so far; they may lag a little. */
  readonly counts: { readonly requests: number; readonly failed: number; readonly acknowledged: number };
  /** Stops the clients. Resolves with all records when every request under way has ended. */
  stop(): Promise<readonly SomeRecord[]>;
  /** Ends the clients at once. */
  destroy(): void;
}

export interface StageOptions {
  readonly random: Random;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Shows what goes on. */
  readonly progress: (text: string) => void;
}

/** The result of a trial: the record of every request, and what was found wrong with the data, as named figures. */
export interface Settled {
  readonly records: readonly RequestRecord[];
  readonly figures: Readonly<Record<string, number>>;
}

/**
 * The place of one trial: a temporary folder with a data folder, the systems that run there, and their clients. `close`
 * ends and removes all of them, whatever has happened.
 */
export abstract class Stage<
  SomeRecord extends RequestRecord = RequestRecord,
  SomeLoad extends Load<SomeRecord> = Load<SomeRecord>,
  Shape extends Partial<LoadShape> = Partial<LoadShape>,
> {
  readonly folder: string;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
  readonly seed: number;
  dataDir: string;
  readonly #systems: RunningSystem[] = [];
  readonly #loads: SomeLoad[] = [];
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  #records: readonly SomeRecord[] = [];
  #invocation: Partial<Invocation> = {};
  #lastEnv: NodeJS.ProcessEnv = {};
  #closed = false;

  constructor({ random, seed, signal, progress }: StageOptions) {
    this.random = random;
    this.signal = signal;
    this.progress = progress;
    this.seed = seed;
    this.folder = makeTemporaryFolder();
    this.#cleanups.push(() => removeFolder(this.folder));
    this.dataDir = join(this.folder, 'data');
    mkdirSync(this.dataDir);
  }

  /** The path of a write, below the base of the API. */
  abstract readonly writePath: string;

  protected abstract get defaultInvocation(): Invocation;

  /** Puts clients on the system. @param index how many loads there were before */
  protected abstract makeLoad(index: number, shape: Shape): SomeLoad;

  /** Makes a new release on disk for the next reload, if this stage has code of its own. */
  abstract makeRelease(version: string): void;

  /** Stops load and system, and compares every answer with the data. */
  abstract settle(): Promise<Settled>;

  /** The system that was started last. */
  get system(): RunningSystem {
    const system = this.#systems.at(-1);
    if (!system) throw new Error('no system was started');
    return system;
  }

  get systems(): readonly RunningSystem[] {
    return this.#systems;
  }

  get load(): SomeLoad {
    const load = this.#loads.at(-1);
    if (!load) throw new Error('there is no load');
    return load;
  }

  get loads(): readonly SomeLoad[] {
    return this.#loads;
  }

  get invocation(): Invocation {
    return { ...this.defaultInvocation, ...this.#invocation };
  }

  /** Changes how the system and its commands are invoked from now on. */
  invokeBy(change: Partial<Invocation>): void {
    this.#invocation = { ...this.#invocation, ...change };
  }

  /** Settings of the last start. */
  protected get lastEnv(): NodeJS.ProcessEnv {
    return this.#lastEnv;
  }

  /** The records that `stopLoad` has returned; empty before. */
  get records(): readonly SomeRecord[] {
    return this.#records;
  }

  /** Whether there is a database with which the history can be compared. */
  get hasStarted(): boolean {
    return existsSync(join(this.dataDir, 'main.db'));
  }

  /** Registers a cleanup for the end, before the folder is removed. The last one runs first. */
  defer(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Starts the system on the stage's data folder and waits until it is ready. @param env settings */
  async start(env: NodeJS.ProcessEnv = {}, readyTimeoutMs?: number): Promise<RunningSystem> {
    this.#lastEnv = env;
    const system = this.launch(this.dataDir, env);
    await system.ready(readyTimeoutMs);
    return system;
  }

  /** Starts a system on any data folder without waiting for anything. @param env settings */
  launch(dataDir: string, env: NodeJS.ProcessEnv): RunningSystem {
    this.#mustBeOpen();
    // LITESTREAM_BIN lets a trial be run with another version of Litestream.
    const { LITESTREAM_BIN } = process.env;
    const carried = LITESTREAM_BIN ? { LITESTREAM_BIN } : {};
    const { root, cwd, nodePath, uid, args, env: common } = this.invocation;
    const settings = { LOG_LEVEL: 'info', ...carried, ...common, DATA_DIR: dataDir, ...env };
    const system = RunningSystem.launch(dataDir, settings, 'pipe', {
      root,
      cwd,
      nodePath,
      args,
      ...(uid !== undefined && { uid }),
      skip: (text) => text.includes('"msg":"request"'),
    });
    this.#systems.push(system);
    return system;
  }

  /** Chooses, of several systems, the one whose data is compared with the history at the end. */
  keep(system: RunningSystem, dataDir: string): void {
    this.#systems.splice(this.#systems.indexOf(system), 1);
    this.#systems.push(system);
    this.dataDir = dataDir;
  }

  /** Starts honest clients on the system, and waits until they are served. */
  async startLoad(shape: Shape = {} as Shape): Promise<SomeLoad> {
    this.#mustBeOpen();
    const load = this.makeLoad(this.#loads.length, shape);
    this.#loads.push(load);
    await this.until(() => load.counts.acknowledged >= 20, 'the clients are served', FIRST_ANSWERS_MS);
    return load;
  }

  /** Ends the clients gracefully. @returns the records of all requests of the trial */
  async stopLoad(): Promise<readonly SomeRecord[]> {
    this.#records = (await Promise.all(this.#loads.map((load) => load.stop()))).flat();
    return this.#records;
  }

  /** Stops the system gracefully, if it runs; kills it after 40 s. @returns how it ended */
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

  /** Polls a condition for which there is no event. @throws Error when it is not met in time */
  async until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await this.sleep(5);
    }
  }

  /**
   * Calls `inject` once a second for the given time; less often when an injection takes longer, since a process that
   * has just come back shall serve for a moment before it is hit again.
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

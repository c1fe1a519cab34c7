import { mkdirSync, rmSync } from 'node:fs';
import { request } from '../../../src/testing/request.ts';
import { killQuietly, processesOf, type RunningSystem } from '../../../src/testing/running-system.ts';
import type { StoreProxy } from '../../support/store-proxy.ts';
import type { Stage } from '../stage.ts';

/** The exit code of a fenced system; a service manager then starts it again. */
export const EXIT_FENCED = 85;
const PROBE_TIMEOUT_MS = 1000;
const READY_TIMEOUT_MS = 60_000;

export interface MemberOptions {
  readonly stage: Stage;
  readonly name: string;
  /** A folder below the trial's that does not exist yet. */
  readonly dataDir: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  /** The proxy on its way to the store. */
  readonly way: StoreProxy;
  /** The proxy on its way to the other system. */
  readonly peerWay: StoreProxy;
}

/**
 * One of two systems, at a fixed address. States: down ↔ up (`start`; `kill`, `stop`), up ↔ paused (`pause`, `resume`).
 * When it ends by itself, it is started again, as by a service manager; unless it was fenced, the end counts as
 * unexpected.
 */
export class Member {
  readonly name: string;
  readonly dataDir: string;
  readonly url: string;
  readonly way: StoreProxy;
  readonly peerWay: StoreProxy;
  /** How often it was fenced. */
  fenced = 0;
  /** Unexpected ends, in words. */
  readonly unasked: string[] = [];
  /** Called when all its processes were killed. */
  onKilled: (() => void) | undefined;
  readonly #options: MemberOptions;
  #system: RunningSystem | undefined;
  #isWanted = false;
  #paused: readonly number[] = [];

  constructor(options: MemberOptions) {
    this.#options = options;
    this.name = options.name;
    this.dataDir = options.dataDir;
    this.url = `http://127.0.0.1:${options.port}`;
    this.way = options.way;
    this.peerWay = options.peerWay;
  }

  get system(): RunningSystem {
    if (!this.#system) throw new Error(`${this.name} was never started`);
    return this.#system;
  }

  /** Its settings, except for its folder and address. */
  get env(): NodeJS.ProcessEnv {
    return this.#options.env;
  }

  get isUp(): boolean {
    return this.#isWanted;
  }

  get isPaused(): boolean {
    return this.#paused.length > 0;
  }

  /** Starts it, and does not wait. */
  start(): void {
    const { stage, env, port } = this.#options;
    this.#isWanted = true;
    mkdirSync(this.dataDir, { recursive: true });
    const system = stage.launch(this.dataDir, { ...env, PORT: String(port) });
    this.#system = system;
    void system.ended(2 ** 31 - 1).then(
      ({ code, signal }) => {
        if (!this.#isWanted || this.#system !== system || stage.signal.aborted) return;
        if (code === EXIT_FENCED) this.fenced += 1;
        else this.unasked.push(`${this.name} ended with ${signal ?? code}: ${system.stderr.trim()}`);
        this.start();
      },
      () => {},
    );
  }

  /** @returns whether it says that it serves */
  async isReady(): Promise<boolean> {
    const { status } = await request(`${this.url}/ready`, 'GET', undefined, undefined, {}, PROBE_TIMEOUT_MS);
    return status === 200;
  }

  /** Resolves when it says that it stands by or serves. */
  async answers(): Promise<void> {
    await this.#options.stage.until(
      async () => {
        const reply = await request(`${this.url}/health`, 'GET', undefined, undefined, {}, PROBE_TIMEOUT_MS);
        return reply.status === 200;
      },
      `${this.name} answers`,
      READY_TIMEOUT_MS,
    );
  }

  /** Kills all its processes at once. @param isDiskLost whether its data folder is lost, too */
  async kill(isDiskLost: boolean): Promise<void> {
    this.#isWanted = false;
    for (const pid of this.#pids) killQuietly(pid, 'SIGKILL');
    this.#paused = [];
    await this.system.destroy();
    this.onKilled?.();
    if (isDiskLost) rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Leaves it to the stage: from now on its end is expected. */
  leave(): void {
    this.#isWanted = false;
  }

  /** Ends it gracefully. */
  async stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    this.#isWanted = false;
    return await this.system.stop();
  }

  /** Pauses every process of it, as on a paused machine. */
  pause(): void {
    this.#paused = this.#pids;
    for (const pid of this.#paused) killQuietly(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of this.#paused) killQuietly(pid, 'SIGCONT');
    this.#paused = [];
  }

  get #pids(): readonly number[] {
    return [this.system.pid, ...processesOf(this.dataDir)];
  }
}

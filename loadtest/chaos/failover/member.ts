import { mkdirSync, rmSync } from 'node:fs';
import { request } from '../../../src/testing/request.ts';
import { killQuietly, processesOf, type RunningSystem } from '../../../src/testing/running-system.ts';
import type { StoreProxy } from '../../support/store-proxy.ts';
import type { Stage } from '../stage.ts';

/** What the exit code means that a service manager starts it again for: it was fenced. */
export const EXIT_FENCED = 85;
const PROBE_TIMEOUT_MS = 1000;
const READY_TIMEOUT_MS = 60_000;

export interface MemberOptions {
  readonly stage: Stage;
  readonly name: string;
  /** Below the trial's folder; nothing is there yet. */
  readonly dataDir: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  /** Its way to the store. */
  readonly way: StoreProxy;
  /** Its way to the other one. */
  readonly peerWay: StoreProxy;
}

/**
 * One of two systems, at an address that stays. States: down ↔ up (`start`; `kill`, `stop`, or its own end, of which one that
 * says fenced is followed by a start, as a service manager would), up ↔ paused (`pause`, `resume`).
 */
export class Member {
  readonly name: string;
  readonly dataDir: string;
  readonly url: string;
  readonly way: StoreProxy;
  readonly peerWay: StoreProxy;
  /** How often it was fenced. */
  fenced = 0;
  /** Ends that nobody asked for, in words. */
  readonly unasked: string[] = [];
  /** Hears that everything of it was killed. */
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

  /** Its settings, beside where it is. */
  get env(): NodeJS.ProcessEnv {
    return this.#options.env;
  }

  get isUp(): boolean {
    return this.#isWanted;
  }

  get isPaused(): boolean {
    return this.#paused.length > 0;
  }

  /** Starts it without waiting for anything. */
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

  /** Whether it says that it serves. */
  async isReady(): Promise<boolean> {
    const { status } = await request(`${this.url}/ready`, 'GET', undefined, undefined, {}, PROBE_TIMEOUT_MS);
    return status === 200;
  }

  /** Resolves when it answers that it stands by, or serves. */
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

  /** Kills everything of it at once. @param isDiskLost whether its data folder goes with it */
  async kill(isDiskLost: boolean): Promise<void> {
    this.#isWanted = false;
    for (const pid of this.#pids) killQuietly(pid, 'SIGKILL');
    this.#paused = [];
    await this.system.destroy();
    this.onKilled?.();
    if (isDiskLost) rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Whoever has it from now on ends it. */
  leave(): void {
    this.#isWanted = false;
  }

  /** Ends it gracefully. */
  async stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    this.#isWanted = false;
    return await this.system.stop();
  }

  /** Stops every process of it, as a machine that is paused. */
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

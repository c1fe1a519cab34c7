import { rm } from 'node:fs/promises';
import { type DrillResult, failedResult } from '../messages/drill-result.ts';
import type { DrillStatus } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import {
  type DrillRecord,
  type DrillRecordName,
  drillDir,
  readRecord,
  recordOf,
  writeRecord,
} from '../replication/drill/record.ts';
import type { Child } from './child.ts';

/** A system that has just started has better things to do. So one that is restarted all the time never drills. */
const FIRST_DELAY_MS = 60_000;
/** The cause of a failure, such as an outage of the store, may pass: the next drill comes soon, to show that it has. */
const RETRY_AFTER_FAILURE_MS = 5 * 60_000;
/** After so many intervals without a success, there is trouble. */
const INTERVALS_WITHOUT_SUCCESS_MAX = 3;
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface DrillsOptions {
  readonly dataDir: string;
  /** The name under which the results are kept. */
  readonly record?: DrillRecordName;
  /** Time from one drill to the next, which is sooner after a failure; 0: drills take place on demand only. */
  readonly intervalMs: number;
  /** Starts the process that does one drill. */
  readonly spawn: () => Child;
  /** A further check of what the drill has restored, before that is removed. @returns the result of both */
  readonly inspect?: (result: DrillResult, signal: AbortSignal) => Promise<DrillResult>;
  readonly log: Logger;
  /** `status` has changed. */
  readonly onChange: () => void;
  readonly onResult: (result: DrillResult) => void;
}

/**
 * The drills of one system: when they take place, and their results. States and who moves them: off → waiting (`start`)
 * → drilling (the timer, or `run`) → waiting (its process has ended); waiting or drilling → off (`stop`).
 */
export class Drills {
  readonly #options: DrillsOptions;
  #record: DrillRecord;
  #state: 'off' | 'waiting' | 'drilling' = 'off';
  #child: Child | undefined;
  #abort = new AbortController();
  #running: Promise<DrillResult> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The files of an earlier start are gone: a drill uses the same folder. */
  #cleared = Promise.resolve();
  /** A success is overdue from here on, as long as there was none. */
  readonly #bornAtMs = Date.now();

  constructor(options: DrillsOptions) {
    this.#options = options;
    this.#record = readRecord(options.dataDir, options.record);
  }

  /** What is wrong, in words that do not change by themselves; undefined when the replica is proven. */
  get trouble(): string | undefined {
    const { intervalMs } = this.#options;
    const { last, lastOkAtMs } = this.#record;
    if (last && !last.ok) return `the drill of ${last.at} failed: ${last.reason}`;
    if (intervalMs === 0) return undefined;
    const sinceMs = Math.max(lastOkAtMs ?? 0, lastOkAtMs === undefined ? this.#bornAtMs : 0);
    if (Date.now() - sinceMs <= INTERVALS_WITHOUT_SUCCESS_MAX * intervalMs) return undefined;
    const since = new Date(sinceMs).toISOString();
    return lastOkAtMs === undefined
      ? `no drill has succeeded since the start at ${since}`
      : `the last drill that succeeded was at ${since}`;
  }

  /** The last result, also of before this start; undefined when there is none. */
  get last(): DrillResult | undefined {
    return this.#record.last;
  }

  get status(): DrillStatus {
    const { last, lastOkAtMs } = this.#record;
    const { intervalMs } = this.#options;
    return { isRunning: this.#state === 'drilling', intervalMs, reason: this.trouble, last, lastOkAtMs };
  }

  /** From now on drills take place. */
  start(): void {
    if (this.#state !== 'off') return;
    this.#state = 'waiting';
    // A drill that was killed together with its primary has left files.
    this.#cleared = this.#clearAway();
    this.#schedule(FIRST_DELAY_MS);
  }

  /** Ends the drill under way, which then has no result. Resolves when its process is gone. */
  async stop(cause: string): Promise<void> {
    this.#state = 'off';
    clearTimeout(this.#timer);
    this.#child?.kill(cause);
    this.#abort.abort(new Failure('not_ready', cause));
    await this.#running?.catch(() => {});
  }

  /**
   * Drills now, or waits for the drill that is under way.
   * @returns its result
   * @throws Failure not_ready when drills are off, or the system stops meanwhile
   */
  async run(): Promise<DrillResult> {
    if (this.#state === 'off')
      throw new Failure('not_ready', 'The system is not serving, so nothing can be verified');
    this.#running ??= this.#drill().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #drill(): Promise<DrillResult> {
    const { spawn, inspect = async (result: DrillResult) => result, log } = this.#options;
    clearTimeout(this.#timer);
    this.#state = 'drilling';
    this.#options.onChange();
    await this.#cleared;
    this.#demandStarted();
    const startMs = performance.now();
    const child = spawn();
    this.#child = child;
    let told: DrillResult | undefined;
    child.on('message', (message) => {
      if (message.kind === 'drilled') told = message.result;
    });
    child.markReady();
    const closed = new Promise<void>((resolve) => child.once('close', resolve));
    const cause = await new Promise<string>((resolve) => child.once('exit', (exit) => resolve(exit.cause)));
    // Its last message may arrive after its exit.
    if (child.pid !== undefined) await closed;
    this.#child = undefined;
    this.#abort = new AbortController();
    const inspected = told && this.#state === 'drilling' ? await inspect(told, this.#abort.signal) : told;
    await this.#clearAway();
    this.#demandStarted();
    const durationMs = Math.round(performance.now() - startMs);
    const result = inspected ?? failedResult(`its process ${cause}`, Date.now(), durationMs);
    this.#state = 'waiting';
    this.#keep(result);
    this.#schedule(0);
    log[result.ok ? 'info' : 'error']({ drill: result }, describe(result));
    return result;
  }

  #keep(result: DrillResult): void {
    const { dataDir, record, log, onChange, onResult } = this.#options;
    this.#record = recordOf(result, this.#record);
    try {
      writeRecord(dataDir, this.#record, record);
    } catch (error) {
      log.warn({ err: error }, 'the result of the drill could not be kept for the next start');
    }
    onResult(result);
    onChange();
  }

  /** @param delayMinMs the least time to wait, even when a drill is overdue */
  #schedule(delayMinMs: number): void {
    const { intervalMs } = this.#options;
    if (intervalMs === 0) return;
    const { last } = this.#record;
    const paceMs = last?.ok === false ? Math.min(intervalMs, RETRY_AFTER_FAILURE_MS) : intervalMs;
    const lastAtMs = last ? Date.parse(last.at) : 0;
    // A result from the future was written while the clock was wrong.
    const sinceMs = lastAtMs > Date.now() ? paceMs : Date.now() - lastAtMs;
    const delayMs = Math.max(Math.min(delayMinMs, intervalMs), paceMs - sinceMs);
    this.#timer = setTimeout(() => this.run().catch(() => {}), Math.min(delayMs, TIMER_MAX_MS)).unref();
  }

  /** @throws Failure not_ready after `stop` */
  #demandStarted(): void {
    if (this.#state === 'off') throw new Failure('not_ready', 'The drill was stopped with the system');
  }

  async #clearAway(): Promise<void> {
    const { dataDir, log } = this.#options;
    await rm(drillDir(dataDir), { recursive: true, force: true }).catch((error) =>
      log.warn({ err: error }, 'what a drill has left could not be removed'),
    );
  }
}

function describe(result: DrillResult): string {
  const { ok, reason, durationMs, restoredBytes, rowsCompared, rowsSkipped, takeover } = result;
  if (!ok) return `drill failed: ${reason}`;
  const sizeMiB = (restoredBytes / 1024 / 1024).toFixed(1);
  if (takeover) {
    const tried = takeover.refusal ?? takeover.untried;
    return `drill ok: a takeover would restore ${sizeMiB} MiB in ${takeover.restoreMs} ms${tried === undefined ? '' : `; the migrations of this code: ${tried}`}`;
  }
  return `drill ok: restored ${sizeMiB} MiB and compared ${rowsCompared} rows in ${durationMs} ms, ${rowsSkipped} changed meanwhile`;
}

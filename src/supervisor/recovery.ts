import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { backoffMs } from '../platform/backoff.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { INSTRUCTIONS } from '../replication/prepare-advice.ts';
import type { Events } from './events.ts';
import type { Lifecycle } from './lifecycle.ts';

/** Short: while a database is damaged, most requests fail anyway. */
const DRAIN_MS = 1000;
const INTERVAL_MIN_MS = 10 * 60_000;
/** Between two tries, when the store is away or the machine has no process to give. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Exit codes of failures that may pass. */
const PASSING_EXIT_CODES: readonly number[] = [70, 75];

export interface RecoveryOptions {
  readonly mode: Config['HEAL'];
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly events: Events;
  /** Has the next preparation of the databases check them thoroughly. */
  readonly mark: () => void;
  /** Why they cannot be healed from the replica that this system writes; undefined when they can. */
  readonly refusal: () => Failure | undefined;
  /** Stops every child; the port stays open. */
  readonly stop: (drainTimeoutMs: number, cause: string) => Promise<void>;
  /** Starts every child again, after the databases were checked and restored. */
  readonly start: () => Promise<void>;
  /** The state, or the reason for it, has changed. */
  readonly onChange: () => void;
  readonly onFatal: (failure: Failure) => void;
}

/**
 * Replaces a damaged database by its replica while the system runs. It moves the lifecycle: serving → healing →
 * serving. A failure that may pass is retried without end, with the port open. It remembers when it last healed: a
 * second damage soon after the first comes from the disk, which no restore mends.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /**
   * Stops everything but the port, and starts it again. Connections wait meanwhile.
   * @param isPutBack whether files were removed or exchanged by somebody, which says nothing about the disk
   */
  async heal(reason: string, isPutBack = false): Promise<void> {
    const { mode, lifecycle, log, events, mark, refusal, stop, start, onChange, onFatal } = this.#options;
    if (!lifecycle.isServing) return;
    const damage = isPutBack
      ? `Somebody has changed the files of a database (${reason})`
      : `A database is damaged (${reason})`;
    log.error({ reason }, damage);
    try {
      mark();
    } catch (err) {
      log.warn({ err }, 'the damage cannot be marked: the next look at the databases is a quick one');
    }
    const refused = refusal();
    if (refused) {
      onFatal(refused);
      return;
    }
    const startMs = performance.now();
    if (mode === 'manual' || (!isPutBack && startMs - this.#lastMs < INTERVAL_MIN_MS)) {
      const advice =
        mode === 'manual'
          ? `HEAL=manual. Nothing was changed. ${INSTRUCTIONS}`
          : 'it was healed only just now: check the disk. The next start checks the database and restores it.';
      onFatal(new Failure('storage_corrupt', `${damage}, and ${advice}`));
      return;
    }
    lifecycle.move('healing');
    events.record('heal', { cause: damage });
    if (!isPutBack) this.#lastMs = startMs;
    onChange();
    try {
      for (let failures = 1; ; failures += 1) {
        await stop(DRAIN_MS, 'healing');
        const failure = await start().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!failure) break;
        await this.#waitAfter(failure, failures);
      }
      const durationMs = Math.round(performance.now() - startMs);
      events.record('healed', { cause: reason, durationMs });
      log.info({ durationMs }, 'healed: everything serves again');
    } catch (error) {
      if (lifecycle.isEnding) return;
      onFatal(error instanceof Failure ? error : new Failure('internal', 'Healing failed', { cause: error }));
    }
  }

  /** @throws the failure when it does not pass, or not_ready when nothing may be started any more */
  async #waitAfter(failure: unknown, failures: number): Promise<void> {
    const { lifecycle, log, onChange } = this.#options;
    const mayPass = failure instanceof Failure && PASSING_EXIT_CODES.includes(failure.meaning.exitCode);
    if (!mayPass || lifecycle.isEnding) throw failure;
    const delayMs = backoffMs(failures, { minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS, random: Math.random });
    log.error({ code: failure.code, retryInMs: delayMs }, `healing failed: ${failure.message}; tried again`);
    lifecycle.trouble = `healing; the last try failed: ${failure.message}`;
    onChange();
    await delay(delayMs);
    lifecycle.demandNotEnding();
  }
}

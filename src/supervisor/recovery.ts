import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { backoffMs } from '../platform/backoff.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { INSTRUCTIONS } from '../replication/prepare-advice.ts';
import type { Events } from './events.ts';
import type { Lifecycle } from './lifecycle.ts';

/** While a database is damaged, most requests fail anyway. */
const DRAIN_MS = 1000;
const INTERVAL_MIN_MS = 10 * 60_000;
/** Between two tries, when the store is away or the machine has no process to give. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Of a failure that may pass. */
const PASSING_EXIT_CODES: readonly number[] = [70, 75];

export interface RecoveryOptions {
  readonly mode: Config['HEAL'];
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly events: Events;
  /** Has whoever prepares the databases next look closely. */
  readonly mark: () => void;
  /** Why the replica that is written cannot heal them. */
  readonly refusal: () => Failure | undefined;
  /** Takes every child down; the port stays open. */
  readonly stop: (drainTimeoutMs: number, cause: string) => Promise<void>;
  /** Brings every child up again, the databases checked and restored first. */
  readonly start: () => Promise<void>;
  /** What it is doing has changed. */
  readonly onChange: () => void;
  readonly onFatal: (failure: Failure) => void;
}

/**
 * Has a damaged database replaced by its replica while the system runs. It moves the lifecycle: serving → healing →
 * serving. What fails meanwhile and may pass is tried again for as long as it takes, with the port open. It remembers
 * when it last healed: a second damage soon after the first is the disk's, which no restore mends.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Takes everything but the port down, and brings it up again. Connections wait meanwhile. */
  async heal(reason: string): Promise<void> {
    const { mode, lifecycle, log, events, mark, refusal, stop, start, onChange, onFatal } = this.#options;
    if (!lifecycle.isServing) return;
    const damage = `A database is damaged (${reason})`;
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
    if (mode === 'manual' || startMs - this.#lastMs < INTERVAL_MIN_MS) {
      const advice =
        mode === 'manual'
          ? `HEAL=manual. Nothing was changed. ${INSTRUCTIONS}`
          : 'it was healed only just now: check the disk. The next start checks the database and restores it.';
      onFatal(new Failure('storage_corrupt', `${damage}, and ${advice}`));
      return;
    }
    lifecycle.move('healing');
    events.record('heal', { cause: damage });
    this.#lastMs = startMs;
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

  /** @throws the failure when it does not pass, or when nothing may be brought up any more */
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

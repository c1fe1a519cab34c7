import type { SystemStatus, Trouble } from '../messages/messages.ts';
import type { SystemEvent, SystemSnapshot, SystemState } from '../messages/snapshot.ts';
import type { Logger } from '../platform/log.ts';
import { Conditions, type Due, type Strike } from './conditions.ts';
import { HourlyLimit } from './hourly-limit.ts';
import { messageOf } from './message.ts';
import { readState, writeState } from './state-file.ts';
import type { Target } from './targets.ts';

/** The trouble of this process itself. It is not reported: it is the failure to report. */
const OWN_NAME = 'notify';
/** Reported once; its end is not reported, since that would mean nothing. */
const TAKEOVER = 'takeover';
/** Two names for one cause: an unreachable store accepts neither an upload nor the owner's record. */
const ONE_OF_TWO: Readonly<Record<string, string>> = { replica: 'replication' };
/** An older event (or one older than `afterMs`, if that is longer) is history, and is not reported. */
const NEWS_MIN_MS = 60_000;
/** How old the state file may get while something is wrong. */
const REFRESH_MS = 15_000;

export interface NotifierOptions {
  readonly dataDir: string;
  /** How long a condition lasts before it is told. */
  readonly afterMs: number;
  readonly targets: readonly Target[];
  readonly log: Logger;
}

/**
 * Reports problems, and their ends, to the operator. The state of the conditions and of the limit is kept in a file.
 * States of the notifier itself: idle ⇄ telling (`#tell`: it sends one message at a time).
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #conditions: Conditions;
  readonly #limit: HourlyLimit;
  #lastEventId: number;
  #writtenAtMs = 0;
  #telling: Promise<void> | undefined;
  #isHeldBack = false;
  /** The last failure of each target. */
  readonly #failures = new Map<string, string>();

  constructor(options: NotifierOptions) {
    const { dataDir, afterMs } = options;
    this.#options = options;
    const nowMs = Date.now();
    const state = readState(dataDir);
    this.#conditions = new Conditions(afterMs, state?.conditions ?? [], nowMs);
    this.#limit = new HourlyLimit({
      sentAtMs: state?.sentAtMs ?? [],
      recordedAtMs: state?.writtenAtMs,
      nowMs,
    });
    this.#lastEventId = state?.lastEventId ?? 0;
    this.#keep();
  }

  /** Why the last message did not arrive, in words; undefined when it did. */
  get trouble(): string | undefined {
    return this.#failures.size === 0 ? undefined : [...this.#failures.values()].join('; ');
  }

  /** Takes in the present state of the system, and begins to send the messages that are due. */
  look({ status, state, events, failover }: SystemSnapshot): void {
    const nowMs = Date.now();
    const isStandby = failover?.role === 'standby';
    // While it is unknown which system leads, it is unknown which one reports the events.
    const isUnclear = isStandby && failover.holder === null;
    const news = isUnclear ? [] : events.filter(({ id }) => id > this.#lastEventId);
    if (!isUnclear) this.#lastEventId = events.at(-1)?.id ?? this.#lastEventId;
    const newsMs = Math.max(NEWS_MIN_MS, this.#options.afterMs);
    const isNew = this.#conditions.look({
      nowMs,
      troubles: troublesOf(state, status),
      strikes: news
        .filter(({ atMs }) => nowMs - atMs < newsMs)
        .flatMap((event) => strikeOf(event, isStandby)),
      isServing: state === 'serving' || state === 'standby',
    });
    const isWanted = this.#conditions.kept.length > 0 || !this.#limit.isRecording;
    const isStale = isWanted && nowMs - this.#writtenAtMs > REFRESH_MS;
    if (isNew || news.length > 0 || isStale) this.#keep();
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
    });
  }

  /** Resolves when every due message has been tried. */
  async told(): Promise<void> {
    await this.#telling;
  }

  async #tell(): Promise<void> {
    for (const due of this.#conditions.due(Date.now())) {
      if (due.kind === 'ended' && due.condition.name === TAKEOVER) {
        this.#conditions.told(due);
        continue;
      }
      const atMs = Date.now();
      if (!this.#limit.allows(atMs)) {
        if (!this.#isHeldBack) this.#options.log.warn('messages wait: there are no more than 10 an hour');
        this.#isHeldBack = true;
        return;
      }
      this.#isHeldBack = false;
      await this.#tellOne(due, atMs);
    }
  }

  async #tellOne(due: Due, atMs: number): Promise<void> {
    const { targets, dataDir, log } = this.#options;
    const wasRecording = this.#limit.isRecording;
    // Counted before it is sent: after a kill, the next process must count it.
    this.#limit.take(atMs);
    this.#keep();
    if (wasRecording && !this.#limit.isRecording) {
      // The file could not be written: the rule for unrecorded messages holds from now on.
      this.#limit.giveBack(atMs);
      return;
    }
    this.#conditions.attempt(due, atMs);
    this.#keep();
    const message = messageOf(due, dataDir);
    const results = await Promise.all(
      targets.map(async ({ name, send }) => ({ name, sent: await send(message) })),
    );
    for (const { name, sent } of results) {
      if (sent.ok) this.#failures.delete(name);
      else {
        this.#failures.set(name, `${name}: ${sent.reason}`);
        log.warn({ target: name }, `a message did not arrive: ${name}: ${sent.reason}`);
      }
    }
    if (results.some(({ sent }) => sent.ok)) {
      this.#conditions.told(due);
      log.info({ condition: message.condition }, `told the operator: ${message.condition} (${message.kind})`);
    } else if (results.every(({ sent }) => !sent.ok && sent.isUnreached)) this.#limit.giveBack(atMs);
    this.#keep();
  }

  #keep(): void {
    const nowMs = Date.now();
    this.#writtenAtMs = nowMs;
    const { log, dataDir } = this.#options;
    try {
      writeState(dataDir, {
        writtenAtMs: nowMs,
        lastEventId: this.#lastEventId,
        sentAtMs: [...this.#limit.sentAtMs],
        conditions: [...this.#conditions.kept],
      });
      this.#limit.recorded(nowMs);
    } catch (error) {
      if (this.#limit.isRecording)
        log.warn(
          { err: error },
          'the state of the notifications cannot be written: there is one message in six minutes',
        );
      this.#limit.unrecorded();
    }
  }
}

/** Until a system serves, missing parts are normal and only `system` counts. A system that is stopping has none. */
function troublesOf(state: SystemState, { notReady, degraded }: SystemStatus): readonly Trouble[] {
  if (state === 'stopping' || state === 'stopped') return [];
  // The leader reports the link between the two systems.
  if (state === 'standby') return degraded.filter(({ name }) => name !== OWN_NAME && name !== 'peer');
  if (state !== 'serving') return notReady.filter(({ name }) => name === 'system');
  return (
    [...notReady, ...degraded]
      // The standby itself reports what keeps it from taking over.
      .filter(({ name }) => name !== OWN_NAME && name !== 'standby')
      .map(({ name, reason }) => ({ name: ONE_OF_TWO[name] ?? name, reason }))
  );
}

/** @returns the strikes of an event: what is reported at once, by condition */
function strikeOf({ kind, child, cause, atMs }: SystemEvent, isStandby: boolean): readonly Strike[] {
  if (kind === 'took-over' || kind === 'orphaned') return [{ name: TAKEOVER, reason: cause, atMs }];
  // The other system has already reported that it took over.
  if (kind === 'primary-died' && isStandby) return [];
  if (kind === 'primary-died' || kind === 'failed') return [{ name: 'primary', reason: cause, atMs }];
  if (kind === 'breaker-open' && child !== null)
    return [{ name: child, reason: `it fails again and again: ${cause}`, atMs }];
  return [];
}

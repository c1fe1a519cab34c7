import type { SystemStatus, Trouble } from '../messages/messages.ts';
import type { SystemEvent, SystemSnapshot, SystemState } from '../messages/snapshot.ts';
import type { Logger } from '../platform/log.ts';
import { Conditions, type Due, type Strike } from './conditions.ts';
import { HourlyLimit } from './hourly-limit.ts';
import { messageOf } from './message.ts';
import { readState, writeState } from './state-file.ts';
import type { Target } from './targets.ts';

/** Its own failure to tell: nobody could be told of it. */
const OWN_NAME = 'notify';
/** It is told once: that it is over says nothing. */
const TAKEOVER = 'takeover';
/** What comes of one and the same: a store that is out of reach takes no upload, and no owner's record. */
const ONE_OF_TWO: Readonly<Record<string, string>> = { replica: 'replication' };
/** An event that is older is history, and not what is wrong now. */
const NEWS_MIN_MS = 60_000;
/** How old the file of the state may get while something is wrong. */
const REFRESH_MS = 15_000;

export interface NotifierOptions {
  readonly dataDir: string;
  /** How long a condition lasts before it is told. */
  readonly afterMs: number;
  readonly targets: readonly Target[];
  readonly log: Logger;
}

/**
 * Tells the operator what is wrong, and when it is over. What it knows is the conditions' and the limit's state, which it
 * keeps in a file. Beside that, it is: idle, or telling (`#tell`), one message at a time.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #conditions: Conditions;
  readonly #limit: HourlyLimit;
  #lastEventId: number;
  #writtenAtMs = 0;
  #telling: Promise<void> | undefined;
  #isHeldBack = false;
  /** What failed last, by target. */
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

  /** Takes the system as it is now, and begins to tell what is due. */
  look({ status, state, events, failover }: SystemSnapshot): void {
    const nowMs = Date.now();
    const isStandby = failover?.role === 'standby';
    // Before it is known who leads, it is not known who tells of what has happened.
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

  /** Resolves when all that is due was tried. */
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
    // Before it is sent: whoever comes after a kill shall count it.
    this.#limit.take(atMs);
    this.#keep();
    if (wasRecording && !this.#limit.isRecording) {
      // Another measure holds from now on.
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

/** Until a system serves, what is not there comes of that; and it is none that a system is taken down. */
function troublesOf(state: SystemState, { notReady, degraded }: SystemStatus): readonly Trouble[] {
  if (state === 'stopping' || state === 'stopped') return [];
  // Of a link between the two the leader tells.
  if (state === 'standby') return degraded.filter(({ name }) => name !== OWN_NAME && name !== 'peer');
  if (state !== 'serving') return notReady.filter(({ name }) => name === 'system');
  return (
    [...notReady, ...degraded]
      // Of what keeps the standby from taking over that one tells.
      .filter(({ name }) => name !== OWN_NAME && name !== 'standby')
      .map(({ name, reason }) => ({ name: ONE_OF_TWO[name] ?? name, reason }))
  );
}

/** What is told at once, and of which condition it is. */
function strikeOf({ kind, child, cause, atMs }: SystemEvent, isStandby: boolean): readonly Strike[] {
  if (kind === 'took-over' || kind === 'orphaned') return [{ name: TAKEOVER, reason: cause, atMs }];
  // The other system has told that it took over.
  if (kind === 'primary-died' && isStandby) return [];
  if (kind === 'primary-died' || kind === 'failed') return [{ name: 'primary', reason: cause, atMs }];
  if (kind === 'breaker-open' && child !== null)
    return [{ name: child, reason: `it fails again and again: ${cause}`, atMs }];
  return [];
}

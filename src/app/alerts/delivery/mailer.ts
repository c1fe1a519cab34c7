import type { OwnWrite } from '../../../contract/command.ts';
import { compile } from '../../../mail/compile.ts';
import type { Delivery, Mail, Transport } from '../../../mail/mail.ts';
import type { Observe } from '../../../metrics/app-metrics.ts';
import { backoffMs, jittered } from '../../../platform/backoff.ts';
import { Failure } from '../../../platform/errors.ts';
import type { Logger } from '../../../platform/log.ts';
import type { DeliveryClock } from './clock.ts';
import type { deliveryCommands } from './commands.ts';
import type { DeliveryQueries, DueAlert } from './queries.ts';

/** How often it looks whether something has become due. */
const POLL_MS = 500;
/** The wait after a write that did not succeed: the writer is on its way back, or the disk is full. */
const WRITE_RETRY_MS = 300;
/** Claimed for each mail that is on its way, so that no connection waits for a commit. */
const CLAIMED_PER_CONNECTION = 2;
const RENEWALS_PER_LEASE = 3;
/** How long it leaves a server alone that cannot be spoken to: from, doubling each time, up to. */
const PAUSE_MIN_MS = 1000;
const PAUSE_MAX_MS = 60_000;

export interface MailerOptions {
  readonly write: OwnWrite<typeof deliveryCommands>;
  readonly queries: DeliveryQueries;
  readonly compose: (alert: DueAlert) => Mail;
  readonly transport: Transport;
  /** Why nothing may be sent, in words: a setting is missing, and only a successor can have it. */
  readonly pausedBecause?: string | undefined;
  readonly clock: DeliveryClock;
  /** Names this process among those that hold leases. */
  readonly leaseOwner: string;
  readonly leaseMs: number;
  readonly attemptsMax: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: () => number;
  readonly observe: Observe;
  readonly log: Logger;
}

/** Since this mailer's start. */
export interface MailerTotals {
  sent: number;
  refused: number;
  deferred: number;
}

/**
 * Sends what is due. An alert that it has claimed is: waiting (claimed) → on its way (a connection is free) → settled
 * (the writer has taken what came of it). It claims a few at a time, as many as it is about to send, so its memory does
 * not grow with what is due. The mailer itself is: working → draining (`drain`) → ended; while working it pauses when the
 * server cannot be spoken to, and then tries with one mail.
 */
export class Mailer {
  readonly totals: MailerTotals = { sent: 0, refused: 0, deferred: 0 };
  readonly #options: MailerOptions;
  /** Those claimed, with the monotonic time until which they are surely ours. */
  readonly #leases = new Map<number, number>();
  readonly #waiting: number[] = [];
  #onTheirWay = 0;
  #isDraining = false;
  #hasGivenUp = false;
  #trouble: string | undefined;
  #pauseMs = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  #hasFailedToWrite = false;

  constructor(options: MailerOptions) {
    this.#options = options;
    this.#trouble = options.pausedBecause;
  }

  /** Why nothing is sent, in words; undefined when mails go out. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Claimed, and not settled yet. */
  get claimedCount(): number {
    return this.#leases.size;
  }

  /** Works until it is drained. */
  async run(): Promise<void> {
    const renewal = setInterval(() => this.#renew(), this.#options.leaseMs / RENEWALS_PER_LEASE);
    while (!this.#isDraining) await this.#sleep(await this.#claim());
    while (this.#leases.size > 0 && !this.#hasGivenUp) await this.#sleep(POLL_MS);
    clearInterval(renewal);
  }

  /** Claims nothing more, gives back what is not on its way, and finishes the rest. @param timeoutMs what that gets */
  drain(timeoutMs: number): void {
    this.#isDraining = true;
    for (const id of this.#waiting.splice(0)) this.#detach(this.#giveBack(id));
    setTimeout(() => {
      this.#hasGivenUp = true;
      this.#wake();
    }, timeoutMs).unref();
    this.#wake();
  }

  /** Claims as many as there is room for. @returns how long to wait before the next look */
  async #claim(): Promise<number> {
    const { queries, clock, now, write, leaseOwner, leaseMs, transport, pausedBecause } = this.#options;
    if (pausedBecause !== undefined) return POLL_MS;
    const pauseMs = this.#pausedUntilMs - performance.now();
    if (pauseMs > 0) return pauseMs;
    const room = this.#trouble === undefined ? transport.concurrency * CLAIMED_PER_CONNECTION : 1;
    // By halves: a claim for each mail would be a commit for each.
    if (this.#leases.size > room / 2) return POLL_MS;
    const dueThrough = clock.dueThrough(now());
    if (!queries.isAnyDue(now(), dueThrough)) return POLL_MS;
    const claimedMs = performance.now();
    const held = [...this.#leases.keys()];
    try {
      const input = { leaseOwner, leaseMs, dueThrough, limit: room - held.length, held };
      const { ids, cancelled } = await write('claim', input);
      this.#wrote();
      for (const id of ids) this.#leases.set(id, claimedMs + leaseMs);
      if (this.#isDraining) for (const id of ids) this.#detach(this.#giveBack(id));
      else this.#waiting.push(...ids);
      this.#pump();
      // What it cancelled instead has made room for others.
      return ids.length + cancelled === 0 ? POLL_MS : 0;
    } catch (error) {
      this.#failedToWrite(error);
      return WRITE_RETRY_MS;
    }
  }

  #pump(): void {
    while (this.#onTheirWay < this.#options.transport.concurrency) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#onTheirWay += 1;
      this.#detach(
        this.#deliver(id).finally(() => {
          this.#onTheirWay -= 1;
          this.#leases.delete(id);
          this.#pump();
          this.#wake();
        }),
      );
    }
  }

  async #deliver(id: number): Promise<void> {
    const { queries, leaseOwner, log } = this.#options;
    // Not renewed in time: by now it may be another's.
    if (performance.now() > (this.#leases.get(id) ?? 0)) return;
    const alert = queries.claimed(id, leaseOwner);
    if (alert === undefined) return;
    const delivery = await this.#send(alert);
    log.debug({ alertId: id, ...delivery }, `mail ${delivery.outcome}`);
    this.#note(delivery);
    await this.#settle(alert, delivery);
  }

  async #send(alert: DueAlert): Promise<Delivery> {
    const { compose, transport, log } = this.#options;
    let mail: Mail;
    let content: Buffer;
    try {
      mail = compose(alert);
      content = await compile(mail);
    } catch (error) {
      // A bug, which the next version may not have.
      log.error({ err: error, alertId: alert.id }, 'a mail could not be composed');
      return { outcome: 'deferred', reason: 'The mail could not be composed', isConnectionLost: false };
    }
    return transport.send(mail, content);
  }

  /** What a delivery tells of the server. */
  #note(delivery: Delivery): void {
    const { log, random } = this.#options;
    const isLost = delivery.outcome === 'deferred' && delivery.isConnectionLost;
    if (delivery.outcome !== 'unavailable') {
      this.#options.observe('mails_total', 1, { outcome: delivery.outcome });
      if (delivery.outcome === 'sent') this.totals.sent += 1;
      else this.totals[delivery.outcome] += 1;
      if (!isLost) {
        if (this.#trouble !== undefined) log.info('mails go out again');
        this.#trouble = undefined;
        this.#pauseMs = 0;
        return;
      }
    }
    const reason = 'reason' in delivery ? delivery.reason : '';
    if (this.#trouble === undefined) log.warn({ reason }, `no mail goes out: ${reason}`);
    this.#trouble = reason;
    // Those that were on their way together fail together: that is one failure.
    if (this.#pausedUntilMs > performance.now()) return;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, this.#pauseMs * 2));
    this.#pausedUntilMs = performance.now() + jittered(this.#pauseMs, random);
  }

  async #settle(alert: DueAlert, delivery: Delivery): Promise<void> {
    const { attemptsMax, backoffMinMs, backoffMaxMs, random, now, log } = this.#options;
    const attempts = alert.attempts + 1;
    const error = 'reason' in delivery ? delivery.reason : null;
    if (delivery.outcome === 'sent') await this.#write(alert, 'sent', null, null);
    else if (delivery.outcome === 'unavailable') {
      // It is not this alert's fault, and others shall not wait behind it.
      await this.#write(alert, 'released', error, now() + this.#pauseMs);
    } else if (delivery.outcome === 'refused' || attempts >= attemptsMax) {
      log.warn({ alertId: alert.id, attempts, reason: error }, `alert failed: ${error}`);
      await this.#write(alert, 'failed', error, null);
    } else {
      const waitMs = backoffMs(attempts, { minMs: backoffMinMs, maxMs: backoffMaxMs, random });
      await this.#write(alert, 'deferred', error, now() + waitMs);
    }
  }

  async #giveBack(id: number): Promise<void> {
    const alert = this.#options.queries.claimed(id, this.#options.leaseOwner);
    if (alert) await this.#write(alert, 'released', null, null);
    this.#leases.delete(id);
    this.#wake();
  }

  /** Until the writer has it: what the mail server answered must not be lost while this process lives. */
  async #write(
    { id, version }: DueAlert,
    outcome: 'sent' | 'failed' | 'deferred' | 'released',
    error: string | null,
    nextAttemptAtMs: number | null,
  ): Promise<void> {
    const { write, leaseOwner } = this.#options;
    const input = { leaseOwner, id, version, outcome, error, nextAttemptAtMs };
    while (!this.#hasGivenUp) {
      try {
        await write('settle', input);
        this.#wrote();
        return;
      } catch (failure) {
        this.#failedToWrite(failure);
        await new Promise((resolve) => setTimeout(resolve, WRITE_RETRY_MS));
      }
    }
  }

  async #renew(): Promise<void> {
    const { write, leaseOwner, leaseMs } = this.#options;
    const ids = [...this.#leases.keys()];
    if (ids.length === 0) return;
    const renewedMs = performance.now();
    try {
      await write('renew', { leaseOwner, leaseMs, ids });
      for (const id of ids) if (this.#leases.has(id)) this.#leases.set(id, renewedMs + leaseMs);
    } catch (error) {
      this.#failedToWrite(error);
    }
  }

  #wrote(): void {
    this.#hasFailedToWrite = false;
  }

  /** @throws what is no Failure: a bug */
  #failedToWrite(error: unknown): void {
    if (!(error instanceof Failure)) throw error;
    if (!this.#hasFailedToWrite) {
      this.#options.log.warn(
        { code: error.code },
        `the writer does not take the delivery's state: ${error.message}`,
      );
    }
    this.#hasFailedToWrite = true;
  }

  /** What is thrown there is thrown again where the process ends of it. */
  #detach(work: Promise<void>): void {
    work.catch((error) => {
      setImmediate(() => {
        throw error;
      });
    });
  }

  async #sleep(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

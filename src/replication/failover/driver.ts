import { setTimeout as sleep } from 'node:timers/promises';
import { isNobodys } from '../lease/record.ts';
import type { LeaseStore } from '../lease/store.ts';
import { advised } from '../store/remedies.ts';
import { AcknowledgeGate } from './acknowledge-gate.ts';
import type { Contender, LeaseNote, LeaseWrite, Look, WriteOutcome } from './contender.ts';
import type { LeaseTimes } from './times.ts';

/** The pause after a refused write, or when the next step is known already. */
const AGAIN_MS = 20;
/** The pause between looks while the record is offered: a handover waits for its taker. */
const OFFERED_MS = 200;

export interface DriverOptions<Item> {
  readonly contender: Contender;
  readonly store: Pick<LeaseStore, 'read' | 'write' | 'epochs'>;
  readonly session: string;
  readonly times: LeaseTimes;
  /** As the contender's. */
  readonly now: () => number;
  /** Keeps the note in the data folder; called before a write is sent, and after it. */
  readonly keep: (note: LeaseNote) => void;
  /** Whether the primary still answers; undefined: it does. While it does not, nothing is renewed: another may lead. */
  readonly isHeard?: (() => boolean) | undefined;
  /** Asks the other system not to challenge; as `askForVow`. Undefined where no peer is set. */
  readonly askPeer?: ((session: string) => Promise<number | undefined>) | undefined;
  /** Hears which items are replicated: a system that takes over has them. Oldest first. */
  readonly onReplicated: (items: readonly Item[]) => void;
  /** Is called when the state, or until when it may commit, may have changed. */
  readonly onChange: () => void;
}

/**
 * Drives a contender: looks at the record again and again, and sends the write that a look leads to. The states are the
 * contender's. It runs from `run` until the contender is over, or `end`. While the store is silent a holder asks its
 * peer.
 */
export class Driver<Item> {
  readonly #options: DriverOptions<Item>;
  readonly #gate = new AcknowledgeGate<Item>();
  #pause = new AbortController();
  #isWoken = false;
  #isEnding = false;
  #reason: string | undefined;

  constructor(options: DriverOptions<Item>) {
    this.#options = options;
  }

  /** Why the store does not answer; undefined when it does. */
  get silence(): string | undefined {
    return this.#reason;
  }

  /** The item is in the replica; the next look decides whether it counts. */
  uploaded(item: Item): void {
    this.#gate.add(item);
    this.wake();
  }

  /** Looks at the record now instead of after the pause. */
  wake(): void {
    this.#isWoken = true;
    this.#pause.abort();
  }

  /** Ends `run`; the record stays as it is. */
  end(): void {
    this.#isEnding = true;
    this.wake();
  }

  /** Resolves when the contender is over, or after `end`. */
  async run(): Promise<void> {
    const { contender } = this.#options;
    while (!this.#isEnding && !contender.isOver) {
      this.#pause = new AbortController();
      this.#isWoken = false;
      const delayMs = await this.#round();
      if (contender.state === 'fenced') this.#gate.drop();
      this.#options.onChange();
      if (this.#isEnding || contender.isOver) return;
      if (this.#isWoken) continue;
      await sleep(delayMs, undefined, { signal: this.#pause.signal }).catch(() => {});
    }
  }

  /** @returns milliseconds until the next look */
  async #round(): Promise<number> {
    const { contender, onReplicated, times, isHeard } = this.#options;
    if (isHeard?.() === false) return times.renewIntervalMs / 2;
    const covered = this.#gate.mark();
    const look = await this.#look();
    const write = contender.looked(look);
    if (contender.isConfirmedBy(look)) onReplicated(this.#gate.pass(covered));
    const outcome = write && (await this.#write(write));
    const isSilent = look.kind === 'silent' || outcome === 'silent';
    if (isSilent && contender.isHolder) await this.#askPeer();
    if (outcome === 'refused' || (outcome === 'written' && write?.purpose !== 'renew')) return AGAIN_MS;
    if (contender.state === 'offered') return OFFERED_MS;
    return contender.isHolder && !isSilent ? times.renewIntervalMs : times.renewIntervalMs / 2;
  }

  async #look(): Promise<Look> {
    const { store, now } = this.#options;
    const sentAtMs = now();
    try {
      const stored = await store.read();
      const look: Look =
        stored && !isNobodys(stored.text)
          ? { kind: 'found', stored, sentAtMs }
          : { kind: 'missing', epochs: await store.epochs(), rest: stored, sentAtMs };
      this.#reason = undefined;
      return look;
    } catch (error) {
      this.#reason = advised(error);
      return { kind: 'silent', reason: this.#reason };
    }
  }

  async #write(write: LeaseWrite): Promise<WriteOutcome> {
    const { contender, store, now } = this.#options;
    this.#keep();
    const sentAtMs = now();
    const outcome = await store.write(JSON.stringify(write.record), write.over).then(
      (isWritten) => (isWritten ? 'written' : 'refused'),
      (error: Error) => {
        this.#reason = advised(error);
        return 'silent' as const;
      },
    );
    contender.wrote(write, outcome, sentAtMs);
    this.#keep();
    return outcome;
  }

  #keep(): void {
    const { note } = this.#options.contender;
    if (note) this.#options.keep(note);
  }

  async #askPeer(): Promise<void> {
    const { contender, session, askPeer } = this.#options;
    const sentAtMs = await askPeer?.(session);
    if (sentAtMs !== undefined) contender.vowed(sentAtMs);
  }
}

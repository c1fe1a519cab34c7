import type { Confirmation } from '../messages/confirmation.ts';
import type { LagReport, Trouble } from '../messages/messages.ts';
import type { Schema } from '../messages/positions.ts';
import type { Child } from './child.ts';
import type { Events } from './events.ts';
import type { ProcessFactory } from './process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import type { Slot } from './slot.ts';

/** How long the writer may take to decide the writes that it has, at a stop or a hold. */
const DECIDE_TIMEOUT_MS = 5000;

export interface WriterPlaceOptions {
  /** What the first writer is made from. */
  readonly deployment: Deployment;
  readonly factory: ProcessFactory;
  readonly events: Events;
  /** The last confirmation of each database. */
  readonly confirmations: () => Iterable<Confirmation>;
  /** How far the replica is behind, by database, as a writer has reported it last. */
  readonly behind: () => Readonly<Record<string, Pick<LagReport, 'lagMs' | 'unconfirmedBytes'>>>;
  /** The features were told that a database has gone back. */
  readonly onRewound: (id: string) => void;
  /** The migrations that the databases have, as a ready writer reports them. */
  readonly onSchema: (schema: Schema, needs: Schema | undefined) => void;
  /** The writer has measured how far the replica is behind. */
  readonly onLag: (reports: Readonly<Record<string, LagReport>>) => void;
}

/**
 * The writer in its slot, and what it has said of itself. States beside the slot's, moved by its messages: accepting ↔
 * read-only (`lag` says why), and drained from its last commit until the next writer is ready.
 */
export class WriterPlace {
  readonly slot: Slot;
  readonly #options: WriterPlaceOptions;
  #isDrained = false;
  #readOnlyBecause: string | undefined;
  #refusesBecause: string | undefined;
  #commitUntilMs: number | undefined;
  #isHolding = false;
  #problems: readonly Trouble[] = [];

  constructor(options: WriterPlaceOptions) {
    this.#options = options;
    const { factory, deployment } = options;
    const name = PROCESSES.writer.role;
    this.slot = factory.slot(
      PROCESSES.writer,
      { name, deployment },
      (deployment, isToStandBy) =>
        factory.child(PROCESSES.writer, { name, deployment, standby: isToStandBy ? 'all' : 'none' }),
      () => true,
    );
    this.slot.on('child', (child) => this.#watch(child));
  }

  /** Whether it has told its last commit, and makes no more. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  /** Whether commits are held, until `go`. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  /** Why it refuses writes; undefined when it does not. */
  get readOnlyBecause(): string | undefined {
    return this.#readOnlyBecause;
  }

  /** Problems that it has found with the databases. */
  get problems(): readonly Trouble[] {
    return this.#problems;
  }

  async start(): Promise<void> {
    this.slot.start();
    await this.slot.ready();
  }

  confirmed(confirmation: Confirmation): void {
    this.slot.child?.send({ kind: 'replicated', ...confirmation });
  }

  /** From now on this writer and each later one refuse every write. */
  refuse(because: string): void {
    this.#refusesBecause = because;
    this.slot.child?.send({ kind: 'refuse-writes', because });
  }

  /** Until when this writer and each later one may commit, on the monotonic clock. */
  commitUntil(monotonicMs: number): void {
    this.#commitUntilMs = monotonicMs;
    if (this.#isHolding) return;
    this.slot.child?.send({ kind: 'commit-until', monotonicMs });
  }

  /**
   * Holds the commits of this writer and each later one, until `go`. Resolves when the last commit is known.
   * @returns whether the writer has said so in time
   */
  async hold(): Promise<boolean> {
    this.#isHolding = true;
    const { child } = this.slot;
    if (!child) return false;
    const held = child.says('commits-held', DECIDE_TIMEOUT_MS);
    child.send({ kind: 'hold-commits' });
    return (await held) && this.#isHolding && this.slot.child === child;
  }

  /** Ends `hold`: the writer may commit again, for as long as this system leads. */
  go(): void {
    this.#isHolding = false;
    if (this.#commitUntilMs !== undefined) this.commitUntil(this.#commitUntilMs);
  }

  /** Resolves when the writer has decided its writes, or cannot. Its connections stay open. */
  async retire(cause: string): Promise<void> {
    this.slot.retire(drainTimeoutMsOf(PROCESSES.writer, this.slot.deployment.config), cause);
    // A writer that hangs shall not use up the time that Litestream has to ship.
    await this.slot.child?.says('drained', DECIDE_TIMEOUT_MS);
  }

  /** Ends it by SIGKILL: a clean close would delete the WAL. */
  async kill(cause: string): Promise<void> {
    this.slot.child?.kill(cause);
    await this.slot.stopped();
  }

  /** Tells a new writer what it cannot know, such as what the replica had before its time, and takes its reports. */
  #watch(child: Child): void {
    child.once('ready', () => {
      if (this.#refusesBecause !== undefined) this.refuse(this.#refusesBecause);
      if (this.#commitUntilMs !== undefined) this.commitUntil(this.#commitUntilMs);
      const { confirmations, behind } = this.#options;
      for (const confirmation of confirmations()) child.send({ kind: 'replicated', ...confirmation });
      for (const [database, { lagMs, unconfirmedBytes }] of Object.entries(behind())) {
        child.send({ kind: 'behind', database, lagMs, unconfirmedBytes });
      }
    });
    child.on('message', (message) => {
      if (message.kind === 'ready') {
        this.#isDrained = false;
        if (message.schema) this.#options.onSchema(message.schema, message.needs);
      }
      if (message.kind === 'drained') this.#isDrained = true;
      if (message.kind === 'rewound') {
        this.#options.events.record('rewind', { cause: message.told });
        this.#options.onRewound(message.id);
      }
      if (message.kind !== 'lag') return;
      this.#setReadOnly(message.readOnlyBecause);
      this.#setProblems(message.problems ?? []);
      this.#options.onLag(message.reports);
    });
  }

  #setProblems(problems: readonly Trouble[]): void {
    const known = new Set(this.#problems.map(({ name }) => name));
    for (const { name, reason } of problems)
      if (!known.has(name)) this.#options.events.record('database', { cause: reason });
    this.#problems = problems;
  }

  #setReadOnly(because: string | undefined): void {
    const { events } = this.#options;
    if (because && !this.#readOnlyBecause) events.record('writes-refused', { cause: because });
    if (!because && this.#readOnlyBecause) events.record('writes-accepted', { cause: 'there is room again' });
    this.#readOnlyBecause = because;
  }
}

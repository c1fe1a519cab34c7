import { boundsOf, isPerChild, typeOf } from '../metrics/catalog.ts';
import { History } from '../metrics/history.ts';
import { Meter } from '../metrics/meter.ts';
import type { SeriesDelta } from '../metrics/series.ts';
import { Totals } from '../metrics/totals.ts';
import type { Answers } from '../runtime/answers.ts';
import type { Question } from '../runtime/messages.ts';
import { meterSelf } from '../runtime/self-meter.ts';
import type { SystemSnapshot } from '../runtime/snapshot.ts';
import type { Child } from './child.ts';
import type { Events } from './events.ts';
import type { Slot } from './slot.ts';
import { roleOf } from './snapshot.ts';

const SAMPLE_INTERVAL_MS = 1000;
const PRIMARY = 'primary';
/** As the metric labels a death; one that the primary meant is none. */
const DEATH_CAUSES = { us: undefined, outside: 'killed', fault: 'fault', hang: 'hang' } as const;

export interface TelemetryOptions {
  readonly events: Events;
  readonly snapshot: () => SystemSnapshot;
  readonly lagMs: () => number;
  /** @returns whether a link to the operator's page is still to be exchanged; it is not then */
  readonly redeem: (id: string) => boolean;
}

/**
 * What all processes count, summed, and what came of it in the last minutes. It grows with each beat of a child, and
 * answers the workers, of which any may be asked for the whole. It has no states.
 */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #totals = new Totals();
  readonly #history = new History();
  readonly #own = new Meter();

  constructor(options: TelemetryOptions) {
    this.#options = options;
    meterSelf(this.#own);
    options.events.on('event', ({ kind }) =>
      this.#count([{ name: 'events_total', labels: { kind }, add: 1 }]),
    );
    setInterval(() => {
      this.#add(PRIMARY, PRIMARY, this.#own.take());
      this.#history.look(this.#totals.series(), options.lagMs(), Date.now());
    }, SAMPLE_INTERVAL_MS).unref();
  }

  /** Hears what a child counts, and answers what it asks. */
  hear(child: Child): void {
    child.on('message', (message) => {
      if (message.kind === 'beat') this.#add(child, child.name, message.deltas);
      else if (message.kind === 'ask') {
        child.send({ kind: 'told', id: message.id, answer: this.#answer(message.question, message.about) });
      }
    });
    child.once('exit', () => this.#totals.forget(child));
  }

  /** Counts the deaths and exchanges in a place. */
  watch(slot: Slot): void {
    const role = roleOf(slot.name);
    slot.on('death', (exit) => {
      const cause = DEATH_CAUSES[exit.endedBy];
      if (cause) this.#count([{ name: 'child_deaths_total', labels: { role, cause }, add: 1 }]);
    });
    slot.on('replaced', () => this.#count([{ name: 'child_replaced_total', labels: { role }, add: 1 }]));
  }

  #answer(question: Question, about = ''): Answers[Question] {
    const { snapshot, redeem } = this.#options;
    if (question === 'redeem') return redeem(about);
    if (question === 'history') return this.#history.samples;
    if (question === 'metrics') return { snapshot: snapshot(), series: this.#totals.series() };
    return { snapshot: snapshot(), sample: this.#history.samples.at(-1) ?? null };
  }

  #count(deltas: readonly SeriesDelta[]): void {
    this.#totals.add(this, deltas);
  }

  #add(source: unknown, child: string, deltas: readonly SeriesDelta[]): void {
    this.#totals.add(
      source,
      deltas
        .filter(isKnown)
        .map((delta) => (isPerChild(delta.name) ? { ...delta, labels: { ...delta.labels, child } } : delta)),
    );
  }
}

/** A process of another release may count what this primary does not know. */
function isKnown(delta: SeriesDelta): boolean {
  const type = typeOf(delta.name);
  if ('add' in delta) return type === 'counter';
  if ('is' in delta) return type === 'gauge';
  return type === 'histogram' && delta.counts.length === boundsOf(delta.name).length + 1;
}

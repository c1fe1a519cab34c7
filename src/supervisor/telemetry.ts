import type { Question } from '../messages/messages.ts';
import type { SeriesDelta } from '../messages/series.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { boundsIn, CATALOG, type Families, type Family } from '../metrics/catalog.ts';
import { History } from '../metrics/history.ts';
import { Meter } from '../metrics/meter.ts';
import { Totals } from '../metrics/totals.ts';
import type { Answers } from '../runtime/answers.ts';
import { meterSelf } from '../runtime/self-meter.ts';
import type { Child } from './child.ts';
import type { Events } from './events.ts';
import type { Slot } from './slot.ts';
import { roleOf } from './snapshot.ts';

const SAMPLE_INTERVAL_MS = 1000;
const PRIMARY = 'primary';
/** The metric's label for each kind of death; a death that the primary meant is not counted. */
const DEATH_CAUSES = { us: undefined, outside: 'killed', fault: 'fault', hang: 'hang' } as const;

export interface TelemetryOptions {
  readonly events: Events;
  readonly snapshot: () => SystemSnapshot;
  readonly lagMs: () => number;
  /** @returns whether a link to the operator's page is valid; from then on it is not */
  readonly redeem: (id: string) => boolean;
}

/**
 * The sum of what all processes count, and its course over the last minutes. It grows with each beat of a child, and
 * answers the workers, each of which may be asked for the whole. It has no states.
 */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #totals = new Totals();
  /** The app's series, apart: if it makes up labels without end, the chassis' series still grow. */
  readonly #ofApp = new Totals();
  readonly #history = new History();
  readonly #own = new Meter();

  constructor(options: TelemetryOptions) {
    this.#options = options;
    meterSelf(this.#own);
    options.events.on('event', ({ kind }) =>
      this.#count([{ name: 'events_total', labels: { kind }, add: 1 }]),
    );
    setInterval(() => {
      this.#totals.add(PRIMARY, knownIn(CATALOG, this.#own.take(), PRIMARY));
      this.#history.look(this.#totals.series(), options.lagMs(), Date.now());
    }, SAMPLE_INTERVAL_MS).unref();
  }

  /** Takes what a child counts, and answers its questions. */
  hear(child: Child): void {
    child.on('message', (message) => {
      if (message.kind === 'beat') this.#add(child, message.deltas);
      else if (message.kind === 'ask') {
        child.send({ kind: 'told', id: message.id, answer: this.#answer(message.question, message.about) });
      }
    });
    child.once('exit', () => {
      this.#totals.forget(child);
      this.#ofApp.forget(child);
    });
  }

  /** Counts the deaths and exchanges in a slot. */
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
    if (question === 'metrics')
      return { snapshot: snapshot(), series: [...this.#totals.series(), ...this.#ofApp.series()] };
    return { snapshot: snapshot(), sample: this.#history.samples.at(-1) ?? null };
  }

  #count(deltas: readonly SeriesDelta[]): void {
    this.#totals.add(this, deltas);
  }

  #add(child: Child, deltas: readonly SeriesDelta[]): void {
    this.#totals.add(child, knownIn(CATALOG, deltas, child.name));
    this.#ofApp.add(child, knownIn(child.deployment.metrics, deltas, child.name));
  }
}

/** @returns the series that are declared; a process may count others, which this primary or its release lacks */
function knownIn(families: Families, deltas: readonly SeriesDelta[], child: string): SeriesDelta[] {
  return deltas.flatMap((delta) => {
    const family = Object.hasOwn(families, delta.name) ? families[delta.name]! : undefined;
    if (family === undefined || !isOf(family, delta)) return [];
    return [family.isPerChild ? { ...delta, labels: { ...delta.labels, child } } : delta];
  });
}

function isOf(family: Family, delta: SeriesDelta): boolean {
  const { type, labels } = family;
  if (labels !== undefined && Object.keys(delta.labels).join() !== labels.join()) return false;
  if ('add' in delta) return type === 'counter';
  if ('is' in delta) return type === 'gauge';
  return type === 'histogram' && delta.counts.length === boundsIn(family).length + 1;
}

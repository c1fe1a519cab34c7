import type { Labels } from '../messages/series.ts';
import { seriesKey } from '../messages/series.ts';
import type { Observe } from './app-metrics.ts';
import { type Families, type Family, LATENCY_BOUNDS_S } from './catalog.ts';
import type { Meter } from './meter.ts';

/** Most series of one process; further ones are left out, so that a beat stays small. */
const SERIES_MAX = 1000;
const LABEL_MAX_CHARS = 100;

/** Records one value of a metric. */
type Take = (value: number) => void;

/** Counts the declared metrics of an app in this process. A series begins with its first value. */
export class Observer {
  readonly #meter: Meter;
  readonly #families: Families;
  readonly #series = new Map<string, Take>();

  constructor(meter: Meter, families: Families) {
    this.#meter = meter;
    this.#families = families;
  }

  /** @throws TypeError for a metric, labels or a value that do not fit the declaration */
  readonly observe: Observe = (name: string, value: number, labels: Labels = {}): void => {
    this.checked(name, value, labels)();
  };

  /**
   * Checks a value without counting it yet.
   * @returns a function that counts the value; for a caller who must wait for a commit first
   * @throws TypeError for a metric, labels or a value that do not fit the declaration
   */
  checked(name: string, value: number, labels: Labels = {}): () => void {
    const family = Object.hasOwn(this.#families, name) ? this.#families[name] : undefined;
    if (family === undefined) throw new TypeError(`No feature declares a metric ${name}`);
    if (!Number.isFinite(value) || (family.type === 'counter' && value < 0))
      throw new TypeError(`The metric ${name} cannot take ${value}`);
    const known = labelsOf(name, family, labels);
    return () => this.#take(name, family, known)?.(value);
  }

  #take(name: string, family: Family, labels: Labels): Take | undefined {
    const key = seriesKey(name, labels);
    const known = this.#series.get(key);
    if (known !== undefined || this.#series.size >= SERIES_MAX) return known;
    const take = this.#begin(name, family, labels);
    this.#series.set(key, take);
    return take;
  }

  #begin(name: string, { type, bounds = LATENCY_BOUNDS_S }: Family, labels: Labels): Take {
    if (type === 'histogram') {
      const histogram = this.#meter.histogram(name, labels, bounds);
      return (value) => histogram.observe(value);
    }
    let now = 0;
    this.#meter[type](name, labels, () => now);
    return (value) => {
      now = type === 'counter' ? now + value : value;
    };
  }
}

/** @returns the labels in the order of their declaration */
function labelsOf(name: string, { labels: declared = [] }: Family, given: Labels): Labels {
  const isDeclared =
    Object.keys(given).length === declared.length &&
    declared.every((label) => Object.hasOwn(given, label) && typeof given[label] === 'string');
  if (!isDeclared)
    throw new TypeError(`The metric ${name} takes the labels ${declared.join(', ') || '(none)'}, as text`);
  return Object.fromEntries(declared.map((label) => [label, given[label]!.slice(0, LABEL_MAX_CHARS)]));
}

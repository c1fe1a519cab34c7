import type { RequestRecord } from '../record.ts';
import type { Stage } from './stage.ts';

/** The limit of one figure of a trial. */
export interface Limit {
  /** The name of the figure, in words; a trial reports its value under the same name. */
  readonly figure: string;
  readonly max?: number;
  readonly min?: number;
  /** The unit, such as requests or ms. */
  readonly unit: string;
  /** Whether it may be exceeded only because the machine is slow or busy; true for every limit in ms. */
  readonly needsSpeed?: true;
}

/** How often, or how long, a fault is injected. */
export interface Size {
  readonly unit: 'seconds' | 'times';
  readonly full: number;
  /** The size in a short run; undefined when a few seconds would show nothing: such a run leaves the trial out. */
  readonly short: number | undefined;
}

/** The observations of a trial. The history of its clients is checked by `runTrial`. */
export interface Observation {
  /** How often the fault was injected. */
  readonly injected: number;
  /** The times from each fault to the end of its effect. */
  readonly recoveryMs?: readonly number[];
  readonly figures?: Readonly<Record<string, number>>;
  /** What a reader must know to judge the row. */
  readonly notes?: readonly string[];
}

/** One fault, and what must hold while it is injected under load. */
export interface Trial<SomeStage extends Stage = Stage> {
  readonly name: string;
  /** What is injected, for the table. */
  readonly fault: string;
  readonly size: Size;
  /** The limits of this trial, besides those of every trial. */
  readonly limits: readonly Limit[];
  /** Matches the names of the children that may die in this trial; the death of any other counts against it. */
  readonly victims: RegExp | undefined;
  /** @returns why it cannot run on this machine; undefined when it can */
  readonly obstacle?: () => string | undefined;
  /** Injects the fault. @param size seconds or times, as `size` says */
  readonly run: (stage: SomeStage, size: number) => Promise<Observation>;
}

export function atMost(max: number, unit: string, figure: string): Limit {
  return { figure, max, unit };
}

export function atLeast(min: number, unit: string, figure: string): Limit {
  return { figure, min, unit };
}

/** @returns the limit, marked as one that may be exceeded on a slow or busy machine */
export function withSpeed(limit: Limit): Limit {
  return { ...limit, needsSpeed: true };
}

/** The limits of every trial, whatever is injected. */
export const ALWAYS: readonly Limit[] = [
  atMost(0, 'writes', 'acknowledged, then lost'),
  atMost(0, 'reads', 'wrong reads'),
  atMost(0, 'pages', 'damaged pages'),
  atMost(0, 'processes', 'others that died'),
  atMost(0, 'exits', 'unclean stops'),
  atLeast(1, 'writes', 'acknowledged'),
];

/** Counts of a history that limits may name. */
export function figuresOf(records: readonly RequestRecord[]): Record<string, number> {
  const count = (kind: RequestRecord['failure']) => records.filter(({ failure }) => failure === kind).length;
  return {
    requests: records.length,
    failed: records.length - count(undefined),
    refused: count('refused'),
    reset: count('reset'),
    hung: count('hung'),
    '5xx': count('5xx'),
    'wrong reads': count('wrong'),
    other: count('other'),
  };
}

import type { RequestRecord } from '../record.ts';
import type { Stage } from './stage.ts';

/** What one figure of a trial has to keep to. */
export interface Limit {
  /** What is counted or measured, in words; a trial reports a value under the same words. */
  readonly figure: string;
  readonly max?: number;
  readonly min?: number;
  /** Such as requests or ms. */
  readonly unit: string;
  /** Whether a machine that is slow or busy may pass it with nothing wrong; so it is for all that are in ms. */
  readonly needsSpeed?: true;
}

/** How often, or how long, a fault is injected. */
export interface Size {
  readonly unit: 'seconds' | 'times';
  readonly full: number;
  /** Undefined when a few seconds of it would show nothing; the short form then leaves it out. */
  readonly short: number | undefined;
}

/** What a trial saw. The history of its clients is counted and checked by whoever runs it. */
export interface Observation {
  /** How often the fault was injected. */
  readonly injected: number;
  /** From each fault to the end of its effect. */
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
  /** Beside those of every trial. */
  readonly limits: readonly Limit[];
  /** Children that may die in it, by the role's name; of any other, each death counts. */
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

/** @returns the limit, marked as one that a slow or busy machine may pass */
export function withSpeed(limit: Limit): Limit {
  return { ...limit, needsSpeed: true };
}

/** What must hold whatever is injected. */
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

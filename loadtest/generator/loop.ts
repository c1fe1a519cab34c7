import { randomBytes } from 'node:crypto';
import type { DriveOrder } from '../drive.ts';
import type { Failures, Latency } from '../measurement.ts';
import type { ScenarioRequest } from '../scenarios.ts';
import type { Recorder } from './recorder.ts';

/** After this time an unanswered request is given up. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** Counts of a loop that the recorder does not have; the warm-up included. */
export interface LoopTotals {
  readonly failures: Failures;
  readonly statuses: Readonly<Record<string, number>>;
  readonly generatorDelayMs?: Latency;
}

/** A load generator that runs until `finish`. */
export interface Loop {
  /** Answers so far. */
  readonly answers: number;
  /** Sends no more requests, and resolves when those sent in the measured time have ended. */
  finish(): Promise<LoopTotals>;
}

export interface LoopOptions {
  readonly order: DriveOrder;
  /** The requests that one connection repeats. */
  readonly requestsOf: (connection: number) => readonly ScenarioRequest[];
  readonly recorder: Recorder;
}

/** @returns a maker of unique ids, all of the same length */
export function idMaker(): () => string {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${String(count).padStart(9, '0')}`;
  };
}

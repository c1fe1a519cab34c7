import { randomBytes } from 'node:crypto';
import type { DriveOrder } from '../drive.ts';
import type { Failures, Latency } from '../measurement.ts';
import type { ScenarioRequest } from '../scenarios.ts';
import type { Recorder } from './recorder.ts';

/** Past this an unanswered request is given up. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** What a loop knows beside what it has told the recorder; the warm-up included. */
export interface LoopTotals {
  readonly failures: Failures;
  readonly statuses: Readonly<Record<string, number>>;
  readonly generatorDelayMs?: Latency;
}

/** Requests under way, until `finish`. */
export interface Loop {
  /** Answers so far. */
  readonly answers: number;
  /** Sends nothing more, and resolves when what was sent in the measured time has ended. */
  finish(): Promise<LoopTotals>;
}

export interface LoopOptions {
  readonly order: DriveOrder;
  /** The requests of one connection, over and over. */
  readonly requestsOf: (connection: number) => readonly ScenarioRequest[];
  readonly recorder: Recorder;
}

/** @returns a maker of ids that are unlike any other's, always of the same length */
export function idMaker(): () => string {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${String(count).padStart(9, '0')}`;
  };
}

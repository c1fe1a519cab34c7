import { ALWAYS, atMost, type Limit, type Trial as TestTrial } from '../../src/testing/chaos/trial.ts';
import type { Stage } from './stage.ts';

/** A trial of the alerts. */
export type Trial = TestTrial<Stage>;

/** The limits of every trial. They check more than ALWAYS does, because each write has a key of its own. */
export const ALWAYS_OF_ALERTS: readonly Limit[] = [
  ...ALWAYS,
  atMost(0, 'writes', 'applied twice'),
  atMost(0, 'writes', 'half applied'),
  atMost(0, 'writes', 'denied, yet applied'),
];

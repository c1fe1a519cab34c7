import { ALWAYS, atMost, type Limit, type Trial as TestTrial } from '../../src/testing/chaos/trial.ts';
import type { Stage } from './stage.ts';

/** A trial of the alerts: on a copy of their code. */
export type Trial = TestTrial<Stage>;

/** What must hold whatever is injected: each write has a key of its own, so that more can be told of it. */
export const ALWAYS_OF_ALERTS: readonly Limit[] = [
  ...ALWAYS,
  atMost(0, 'writes', 'applied twice'),
  atMost(0, 'writes', 'half applied'),
  atMost(0, 'writes', 'denied, yet applied'),
];

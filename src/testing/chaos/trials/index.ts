import type { AppStage } from '../app-stage.ts';
import type { Trial } from '../trial.ts';
import { allWorkersKilled } from './all-workers-killed.ts';
import { backgroundKilled } from './background-killed.ts';
import { litestreamKilled } from './litestream-killed.ts';
import { machineLost } from './machine-lost.ts';
import { primaryKilled } from './primary-killed.ts';
import { primaryStopped } from './primary-stopped.ts';
import { processStopped } from './process-stopped.ts';
import { reloads } from './reload.ts';
import { spareStopped } from './spare-stopped.ts';
import { stop } from './stop.ts';
import { workerKilled } from './worker-killed.ts';
import { writerKilled } from './writer-killed.ts';

/** The trials for every app, in the order in which they run. */
export const trials: readonly Trial<AppStage>[] = [
  workerKilled,
  allWorkersKilled,
  writerKilled,
  backgroundKilled,
  litestreamKilled,
  reloads,
  processStopped,
  spareStopped,
  primaryStopped,
  primaryKilled,
  stop,
  machineLost,
];

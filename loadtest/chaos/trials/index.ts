import type { Trial } from '../trial.ts';
import { allWorkersKilled } from './all-workers-killed.ts';
import { badDeploy } from './bad-deploy.ts';
import { clockJump } from './clock-jump.ts';
import { crashLeak } from './crash-leak.ts';
import { diskFull } from './disk-full.ts';
import { diskLoss } from './disk-loss.ts';
import { litestreamKilled } from './litestream-killed.ts';
import { mailerKilled } from './mailer-killed.ts';
import { malicious } from './malicious.ts';
import { primaryKilled } from './primary-killed.ts';
import { primaryStopped } from './primary-stopped.ts';
import { processStopped } from './process-stopped.ts';
import { reloads } from './reload.ts';
import { spareStopped } from './spare-stopped.ts';
import { stop } from './stop.ts';
import { storeOutage } from './store-outage.ts';
import { workerCrashing } from './worker-crashing.ts';
import { workerKilled } from './worker-killed.ts';
import { workerLooping } from './worker-looping.ts';
import { writerKilled } from './writer-killed.ts';

/** Every trial, in the order in which they run. */
export const trials: readonly Trial[] = [
  workerKilled,
  allWorkersKilled,
  workerLooping,
  reloads,
  badDeploy,
  workerCrashing,
  primaryKilled,
  writerKilled,
  mailerKilled,
  stop,
  processStopped,
  spareStopped,
  primaryStopped,
  crashLeak,
  litestreamKilled,
  diskLoss,
  storeOutage,
  ...diskFull,
  clockJump,
  ...malicious,
];

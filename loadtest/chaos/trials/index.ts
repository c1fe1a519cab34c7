import type { Trial } from '../trial.ts';
import { allWorkersKilled } from './all-workers-killed.ts';
import { bounds } from './bounds.ts';
import { clockJump } from './clock-jump.ts';
import { crashLeak } from './crash-leak.ts';
import { deployFailingMigration } from './deploy-failing-migration.ts';
import { deployHalf } from './deploy-half.ts';
import { deployInPlace } from './deploy-in-place.ts';
import { deployMigrating } from './deploy-migrating.ts';
import { deployRefused } from './deploy-refused.ts';
import { diskFull } from './disk-full.ts';
import { diskLoss } from './disk-loss.ts';
import { history } from './history.ts';
import { litestreamKilled } from './litestream-killed.ts';
import { mailerKilled } from './mailer-killed.ts';
import { malicious } from './malicious.ts';
import { notify } from './notify.ts';
import { primaryKilled } from './primary-killed.ts';
import { primaryStopped } from './primary-stopped.ts';
import { processStopped } from './process-stopped.ts';
import { releaseLink } from './release-link.ts';
import { reloads } from './reload.ts';
import { rollback } from './rollback.ts';
import { spareStopped } from './spare-stopped.ts';
import { starved } from './starved.ts';
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
  deployRefused,
  deployInPlace,
  deployMigrating,
  deployFailingMigration,
  deployHalf,
  rollback,
  releaseLink,
  workerCrashing,
  primaryKilled,
  writerKilled,
  mailerKilled,
  stop,
  processStopped,
  spareStopped,
  starved,
  primaryStopped,
  crashLeak,
  litestreamKilled,
  diskLoss,
  history,
  storeOutage,
  bounds,
  ...diskFull,
  ...notify,
  clockJump,
  ...malicious,
];

import { allWorkersKilled } from '../../../src/testing/chaos/trials/all-workers-killed.ts';
import { litestreamKilled } from '../../../src/testing/chaos/trials/litestream-killed.ts';
import { primaryStopped } from '../../../src/testing/chaos/trials/primary-stopped.ts';
import { processStopped } from '../../../src/testing/chaos/trials/process-stopped.ts';
import { reloads } from '../../../src/testing/chaos/trials/reload.ts';
import { spareStopped } from '../../../src/testing/chaos/trials/spare-stopped.ts';
import { stop } from '../../../src/testing/chaos/trials/stop.ts';
import { workerKilled } from '../../../src/testing/chaos/trials/worker-killed.ts';
import { writerKilled } from '../../../src/testing/chaos/trials/writer-killed.ts';
import type { Trial } from '../trial.ts';
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
import { failoverBothStart } from './failover-both-start.ts';
import { failoverClocks } from './failover-clocks.ts';
import { failoverCut } from './failover-cut.ts';
import { failoverDiskFull } from './failover-disk-full.ts';
import { failoverHandover } from './failover-handover.ts';
import { failoverKilled } from './failover-killed.ts';
import { failoverMails } from './failover-mails.ts';
import { failoverNextLost } from './failover-next-lost.ts';
import { failoverPaused } from './failover-paused.ts';
import { failoverRandom } from './failover-random.ts';
import { failoverStill } from './failover-still.ts';
import { history } from './history.ts';
import { mailerKilled } from './mailer-killed.ts';
import { malicious } from './malicious.ts';
import { notify } from './notify.ts';
import { primaryKilled } from './primary-killed.ts';
import { releaseLink } from './release-link.ts';
import { rollback } from './rollback.ts';
import { starved } from './starved.ts';
import { storeOutage } from './store-outage.ts';
import { workerCrashing } from './worker-crashing.ts';
import { workerLooping } from './worker-looping.ts';

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
  failoverKilled,
  failoverNextLost,
  failoverPaused,
  failoverStill,
  failoverClocks,
  failoverCut,
  failoverHandover,
  failoverMails,
  failoverDiskFull,
  failoverBothStart,
  failoverRandom,
  storeOutage,
  bounds,
  ...diskFull,
  ...notify,
  clockJump,
  ...malicious,
];

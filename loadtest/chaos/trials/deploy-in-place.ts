import { type Culprit, failedElsewhere } from '../../../src/testing/chaos/blame.ts';
import {
  childNames,
  connectionsOf,
  holdersOf,
  timeOf,
  workerNames,
} from '../../../src/testing/chaos/faults.ts';
import { isAlive } from '../../../src/testing/chaos/processes.ts';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { PROJECT } from '../deployment.ts';
import { DEPLOY_LOAD } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import { statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

const WORKERS = 4;
const BACKOFF_MAX_MS = 2000;
/** Beside the back-off: the time to load when all workers start at once. */
const BOOT_MS = 3000;
const BACK_TIMEOUT_MS = 30_000;

export const deployInPlace: Trial = {
  name: 'deploy-in-place',
  fault: 'node_modules removed and installed anew; meanwhile SIGKILL a worker every second, but not the last',
  size: { unit: 'seconds', full: 10, short: 4 },
  victims: /^(worker-|spare)/,
  limits: [
    atMost(0, 'primaries', 'primaries that ended'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
    atLeast(1, 'workers', 'workers missing'),
    atMost(0, 'workers', 'workers missing, yet not told in the status'),
    atMost(BACKOFF_MAX_MS + BOOT_MS, 'ms', 'until the capacity is back'),
  ],
  async run(stage, seconds) {
    const modules = stage.deployment.ownModules();
    stage.invokeBy({ nodePath: modules.nodePath });
    const system = await stage.start({
      LITESTREAM_BIN: modules.litestreamPath,
      WORKERS: String(WORKERS),
      RESTART_BACKOFF_MAX_MS: String(BACKOFF_MAX_MS),
    });
    await stage.startLoad(DEPLOY_LOAD);
    const names = workerNames(stage);
    const isServing = (name: string) => isAlive(system.pidOf(name));
    const culprits: Culprit[] = [];
    // A process that is still loading would die, too.
    for (const name of childNames(stage)) await system.waitFor(({ msg }) => msg === `${name} ready`);
    modules.remove();
    await stage.everySecond(seconds, async () => {
      const serving = names.filter(isServing);
      if (serving.length > 1) culprits.push(await killWorker(stage, stage.random.pick(serving)));
    });
    const missing = names.filter((name) => !isServing(name));
    const told = await toldOf(stage);
    modules.install();
    const installedMs = performance.now();
    await stage.until(() => names.every(isServing), 'every worker is back', BACK_TIMEOUT_MS);
    const backMs = performance.now() - installedMs;
    const records = await stage.stopLoad();
    return {
      injected: culprits.length,
      recoveryMs: [backMs],
      figures: {
        'primaries that ended': isAlive(system.pid) ? 0 : 1,
        'failed elsewhere than on the victim': failedElsewhere(records, culprits).length,
        'workers missing': missing.length,
        'workers missing, yet not told in the status': missing.filter((name) => !told.includes(name)).length,
        'until the capacity is back': backMs,
      },
      notes: [
        `RESTART_BACKOFF_MAX_MS=${BACKOFF_MAX_MS}; ${missing.length} of ${WORKERS} workers were missing when node_modules came back`,
      ],
    };
  },
};

/** Kills a worker, which cannot be replaced now. */
async function killWorker(stage: Stage, name: string): Promise<Culprit> {
  const { system } = stage;
  const from = system.lines.length;
  const holders = holdersOf(connectionsOf(stage, workerNames(stage)), [name]);
  const faultMs = Date.now();
  process.kill(system.pidOf(name), 'SIGKILL');
  const died = await system.waitFor(({ msg }) => msg.startsWith(`${name} died`), from);
  return { holders, faultMs, diedMs: timeOf(died) };
}

/** @returns the names in `degraded`; the project's code asks, since the deployment's cannot run */
async function toldOf(stage: Stage): Promise<string[]> {
  const { root, nodePath } = stage.invocation;
  stage.invokeBy({ root: PROJECT, nodePath: process.execPath });
  const { status } = await statusOf(stage);
  stage.invokeBy({ root, nodePath });
  return status.degraded.map(({ name }) => name);
}

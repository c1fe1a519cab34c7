import { chmodSync, chownSync } from 'node:fs';
import { childNames } from '../../../src/testing/chaos/faults.ts';
import { isAlive } from '../../../src/testing/chaos/processes.ts';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { limitOf, obstacleToLimits, RESOURCES, STARVED_UID, setLimit } from '../resource-limit.ts';
import type { Stage } from '../stage.ts';
import { statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

const BACKOFF_MAX_MS = 2000;
/** A process that was started with too few threads may hang. */
const START_TIMEOUT_MS = 4000;
/** Beside the back-off: the time to load when all processes start at once. */
const BOOT_MS = 3000;
const TOLD_TIMEOUT_MS = 15_000;
const BACK_TIMEOUT_MS = 45_000;
/** The errors that the system reports when a resource is used up. */
const WHY = /EAGAIN|EMFILE|ENFILE|ENOMEM/;

export const starved: Trial = {
  name: 'starved',
  fault: `${RESOURCES.map(({ name }) => name).join(', then ')} of the primary at its edge, while a process is killed every second`,
  size: { unit: 'seconds', full: 30, short: 6 },
  victims: /./,
  obstacle: obstacleToLimits,
  limits: [
    atMost(0, 'primaries', 'primaries that ended'),
    atMost(0, 'resources', 'missing, yet not told in the status'),
    atLeast(RESOURCES.length, 'resources', 'had again'),
    atMost(START_TIMEOUT_MS + BACKOFF_MAX_MS + BOOT_MS, 'ms', 'until the capacity is back'),
  ],
  async run(stage, seconds) {
    belongToAnother(stage);
    const system = await stage.start({
      START_TIMEOUT_MS: String(START_TIMEOUT_MS),
      RESTART_BACKOFF_MAX_MS: String(BACKOFF_MAX_MS),
      // A process with too few threads crashes, which counts as a fault, so its breaker may open.
      BREAKER_RETRY_MS: String(BACKOFF_MAX_MS),
    });
    await stage.startLoad({ requestsPerSecond: 200 });
    const backMs: number[] = [];
    let killed = 0;
    let untold = 0;
    for (const resource of RESOURCES) {
      const before = limitOf(system.pid, resource);
      let isTold = false;
      await stage.everySecond(seconds / RESOURCES.length, async (turn) => {
        const { pid } = system;
        // The first kills hit roles without a spare, which could hide the shortage.
        const isFirst = turn === 0;
        setLimit(pid, resource, isFirst ? await resource.exhausted(pid) : resource.atEdge(pid, stage.random));
        if (killOne(stage, isFirst ? ['mailer', 'litestream'] : childNames(stage))) killed += 1;
        if (isFirst) isTold = await isToldSoon(stage);
      });
      if (!isTold) untold += 1;
      setLimit(system.pid, resource, before);
      const liftedMs = performance.now();
      await stage.until(
        () => childNames(stage).every((name) => isAlive(system.pidOf(name))),
        `every process is back after ${resource.name}`,
        BACK_TIMEOUT_MS,
      );
      backMs.push(performance.now() - liftedMs);
    }
    return {
      injected: killed,
      recoveryMs: backMs,
      figures: {
        'primaries that ended': isAlive(system.pid) ? 0 : 1,
        'missing, yet not told in the status': untold,
        'had again': backMs.length,
        'until the capacity is back': Math.max(...backMs),
      },
      notes: [
        `RESTART_BACKOFF_MAX_MS=BREAKER_RETRY_MS=${BACKOFF_MAX_MS}, START_TIMEOUT_MS=${START_TIMEOUT_MS}; recovery is from the end of the limit until every process is ready`,
      ],
    };
  },
};

/** Has the system run as another user, whom the limits apply to. */
function belongToAnother(stage: Stage): void {
  const modules = stage.deployment.ownModules();
  chmodSync(stage.folder, 0o711);
  chownSync(stage.dataDir, STARVED_UID, STARVED_UID);
  const { nodePath, litestreamPath } = modules;
  const { env } = stage.invocation;
  stage.invokeBy({ uid: STARVED_UID, nodePath, env: { ...env, LITESTREAM_BIN: litestreamPath } });
}

/** Kills one of these processes, but not the last worker. @returns whether it killed one */
function killOne(stage: Stage, names: readonly string[]): boolean {
  const { system } = stage;
  const living = names.filter((name) => isAlive(system.pidOf(name)));
  const isLastWorker = (name: string) =>
    name.startsWith('worker-') && living.filter((other) => other.startsWith('worker-')).length === 1;
  const victims = living.filter((name) => !isLastWorker(name));
  if (victims.length === 0) return false;
  process.kill(system.pidOf(stage.random.pick(victims)), 'SIGKILL');
  return true;
}

/** @returns whether the status soon names the shortage; without a free descriptor it may take some tries */
async function isToldSoon(stage: Stage): Promise<boolean> {
  const isTold = async () => {
    const { status } = await statusOf(stage).catch(() => ({ status: { notReady: [], degraded: [] } }));
    return [...status.notReady, ...status.degraded].some(({ reason }) => WHY.test(reason));
  };
  return await stage.until(isTold, 'the status says why', TOLD_TIMEOUT_MS).then(
    () => true,
    () => false,
  );
}

import { processesOf } from '../../../src/testing/running-system.ts';
import { descendantsOf, isAlive } from '../processes.ts';
import { atLeast, atMost, type Trial } from '../trial.ts';
import { enterLoop, LOOP } from './worker-looping.ts';

const GONE_TIMEOUT_MS = 15_000;
const UNDER_WAY_MS = 1000;

export const primaryKilled: Trial = {
  name: 'primary-killed',
  fault: 'SIGKILL the primary while one worker hangs',
  size: { unit: 'times', full: 10, short: 1 },
  victims: undefined,
  limits: [
    atMost(1000, 'ms', 'until every process is gone'),
    atMost(0, 'processes', 'left behind'),
    atMost(0, 'starts', 'next starts that failed'),
    atMost(5000, 'ms', 'next start'),
    atLeast(1, 'times', 'killed'),
  ],
  async run(stage, times) {
    stage.deployment.addFeature('chaos', LOOP);
    // The hang shall last, so that the primary's end is all that can end it.
    const env = { HANG_TIMEOUT_MS: '60000' };
    let system = await stage.start(env);
    const goneMs: number[] = [];
    const startMs: number[] = [];
    let leftBehind = 0;
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      const load = await stage.startLoad();
      enterLoop(system.url);
      await stage.sleep(UNDER_WAY_MS);
      const pids = [...new Set([...descendantsOf(system.pid), ...processesOf(stage.dataDir)])];
      const killedMs = performance.now();
      system.kill('SIGKILL');
      await stage
        .until(() => pids.every((pid) => !isAlive(pid)), 'all are gone', GONE_TIMEOUT_MS)
        .catch(() => {
          leftBehind += pids.filter(isAlive).length;
        });
      goneMs.push(performance.now() - killedMs);
      await load.stop();
      const startedMs = performance.now();
      system = await stage.start(env);
      startMs.push(performance.now() - startedMs);
    }
    return {
      injected: times,
      recoveryMs: startMs,
      figures: {
        'until every process is gone': Math.max(...goneMs),
        'left behind': leftBehind,
        'next starts that failed': times - startMs.length,
        'next start': Math.max(...startMs),
        killed: goneMs.length,
      },
      notes: [
        `every process was gone within ${Math.round(Math.max(...goneMs))} ms; recovery is the next start; the clients fail while nothing runs`,
      ],
    };
  },
};

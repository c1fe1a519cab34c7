import { processesOf } from '../../running-system.ts';
import { descendantsOf, isAlive } from '../processes.ts';
import type { Stage } from '../stage.ts';
import { atLeast, atMost, type Trial } from '../trial.ts';

const GONE_TIMEOUT_MS = 15_000;
const UNDER_WAY_MS = 1000;

/** A further fault that is inflicted on the system before its primary is killed. */
export interface Handicap<SomeStage extends Stage> {
  readonly fault: string;
  readonly env: NodeJS.ProcessEnv;
  readonly prepare: (stage: SomeStage) => void;
  readonly inflict: (stage: SomeStage) => void;
}

const NONE: Handicap<Stage> = {
  fault: 'SIGKILL the primary, and start again',
  env: {},
  prepare() {},
  inflict() {},
};

export const primaryKilled: Trial = killPrimaryUnder(NONE);

/** @returns the trial in which every process has to end by itself when the primary is gone */
export function killPrimaryUnder<SomeStage extends Stage>({
  fault,
  env,
  prepare,
  inflict,
}: Handicap<SomeStage>): Trial<SomeStage> {
  return {
    name: 'primary-killed',
    fault,
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
      prepare(stage);
      let system = await stage.start(env);
      const goneMs: number[] = [];
      const startMs: number[] = [];
      let leftBehind = 0;
      for (let turn = 0; turn < times; turn += 1) {
        stage.progress(`${turn} of ${times}`);
        const load = await stage.startLoad();
        inflict(stage);
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
}

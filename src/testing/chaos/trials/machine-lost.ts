import { join } from 'node:path';
import type { AppStage } from '../app-stage.ts';
import { atLeast, type Trial } from '../trial.ts';

/** The machine is lost at a random time from LIFE_MIN_MS on, counted from the first answers. */
const LIFE_MIN_MS = 300;
const LIFE_SPREAD_MS = 2500;

export const machineLost: Trial<AppStage> = {
  name: 'machine-lost',
  fault: 'SIGKILL everything and delete DATA_DIR; start from the replica alone',
  size: { unit: 'times', full: 10, short: 1 },
  victims: undefined,
  limits: [atLeast(1, 'writes', 'acknowledged')],
  async run(stage, times) {
    const env = { REPLICA_URL: `file:${join(stage.folder, 'replica')}` };
    await stage.start(env);
    const startMs: number[] = [];
    while (startMs.length < times) {
      stage.progress(`${startMs.length} of ${times}`);
      await stage.startLoad({ isReplicating: true });
      await stage.sleep(LIFE_MIN_MS + stage.random.below(LIFE_SPREAD_MS));
      await stage.loseMachine();
      const startedMs = performance.now();
      await stage.start(env);
      startMs.push(performance.now() - startedMs);
    }
    return {
      injected: times,
      recoveryMs: startMs,
      notes: [
        'of what was written before, all that was acknowledged as replicated has to be there; recovery is the next start, restore included',
      ],
    };
  },
};

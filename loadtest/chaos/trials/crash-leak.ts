import { type Death, killChildren, recoveryMs, workerNames } from '../faults.ts';
import { type Holdings, holdingsOf } from '../processes.ts';
import type { Stage } from '../stage.ts';
import { atMost, type Trial } from '../trial.ts';

/** By then the primary's code is compiled and its heap has its size; what grows after that is a leak. */
const WARM_SHARE = 0.1;
/** A heap breathes; a leak of 20 kB a crash would be 40 MiB. */
const RSS_GROWTH_MAX_MIB = 20;
/** Connections that are just being handed over come and go. */
const OPEN_FILES_GROWTH_MAX = 10;
const SAMPLES = 20;

/** How long a worker serves, on average, before the next crash. */
const LIFE_MS = 50;
/** Lets a worker crash by itself when it gets the signal: unlike SIGKILL, it then says why it dies. */
const CRASH = `  process.on('SIGUSR2', () => { throw new Error('crashes on demand'); });`;

export const crashLeak: Trial = {
  name: 'crash-leak',
  fault: 'worker crashes, as fast as they come back: SIGKILL or an exception',
  size: { unit: 'times', full: 2000, short: undefined },
  victims: /^worker-/,
  limits: [
    atMost(OPEN_FILES_GROWTH_MAX, 'files', "growth of the primary's open files"),
    atMost(RSS_GROWTH_MAX_MIB, 'MiB', "growth of the primary's memory"),
    atMost(0, 'processes', 'zombies'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
  ],
  async run(stage, times) {
    // With no back-off to speak of: 2,000 crashes shall not take an hour.
    stage.deployment.addFeature('chaos', CRASH);
    await stage.start({
      RESTART_BACKOFF_MIN_MS: '1',
      RESTART_BACKOFF_MAX_MS: '1',
      // The breaker is the subject of another trial.
      RESTART_WINDOW_MS: '100',
    });
    await stage.startLoad({ kept: 6, fresh: 6, requestsPerSecond: 100 });
    const deaths: Death[] = [];
    let crashes = 0;
    const crashTogether = async (untilCount: number) => {
      await Promise.all(
        workerNames(stage).map(async (name) => {
          while (crashes < untilCount) {
            crashes += 1;
            const signal = crashes % 2 === 0 ? 'SIGKILL' : 'SIGUSR2';
            deaths.push(...(await killChildren(stage, [name], signal)));
            stage.progress(`${crashes} of ${times}`);
            await stage.sleep(2 * stage.random.below(LIFE_MS));
          }
        }),
      );
    };
    await crashTogether(Math.ceil(times * WARM_SHARE));
    const before = await settled(stage);
    await crashTogether(times);
    const after = await settled(stage);
    return {
      injected: crashes,
      recoveryMs: recoveryMs(deaths),
      figures: {
        "growth of the primary's open files": after.openFiles - before.openFiles,
        "growth of the primary's memory": after.rssMiB - before.rssMiB,
        zombies: after.zombies,
      },
      notes: [
        `the primary after ${Math.ceil(times * WARM_SHARE)} crashes: ${inWords(before)}; after ${crashes}: ${inWords(after)}`,
      ],
    };
  },
};

/** The least of several looks: what comes and goes is no growth. */
async function settled(stage: Stage): Promise<Holdings> {
  await stage.sleep(1000);
  const seen: Holdings[] = [];
  while (seen.length < SAMPLES) {
    seen.push(holdingsOf(stage.system.pid));
    await stage.sleep(100);
  }
  return {
    openFiles: Math.min(...seen.map(({ openFiles }) => openFiles)),
    rssMiB: Math.min(...seen.map(({ rssMiB }) => rssMiB)),
    zombies: Math.min(...seen.map(({ zombies }) => zombies)),
  };
}

function inWords({ openFiles, rssMiB, zombies }: Holdings): string {
  return `${openFiles} open files, ${Math.round(rssMiB)} MiB, ${zombies} zombies`;
}

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failedElsewhere } from '../../../src/testing/chaos/blame.ts';
import { type Death, killChildren } from '../../../src/testing/chaos/faults.ts';
import { type Holdings, holdingsOf } from '../../../src/testing/chaos/processes.ts';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import type { RunningSystem } from '../../../src/testing/running-system.ts';
import { freePort } from '../../support/free-port.ts';
import { collectGarbage, debuggerEnv } from '../collect-garbage.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

/** After this share of the crashes the primary's code is compiled and its heap has its size: later growth is a leak. */
const WARM_SHARE = 0.1;
/** Not all collected memory goes back to the operating system; a leak of 20 kB a crash would be 40 MiB. */
const RSS_GROWTH_MAX_MIB = 20;
/** Connections that are being handed over come and go. */
const OPEN_FILES_GROWTH_MAX = 10;
const SAMPLES = 20;

/** Workers that go on serving, and those that crash beside them. */
const SERVING = 2;
const CRASHING = 4;
/** How long a worker that crashes has been ready, on average. */
const LIFE_MS = 40;
/** Workers crash while this file is in the data folder. */
const SWITCH = 'crash';
const ENTRY = 'src/runtime/main.ts';
const PLACE = '  const role = await import(';
/**
 * The trial is about what each death leaves in the primary. So the crashing workers load only what every child has: a
 * crash then takes a fifth of the time. They get connections, and neither accept nor read them: a worker accepts before
 * it reads, and nobody else can answer a request that a dead worker has read.
 */
const CRASH = `  const { existsSync } = await import('node:fs');
  await loaded();
  if (/^worker-(?![1-${SERVING}]$)\\d+$/.test(runtime.role) && existsSync('${SWITCH}')) {
    // Not pause(), which goes on to read until its buffer is full.
    runtime.onMessage((_, socket) => socket?._handle.readStop());
    runtime.ready();
    await new Promise((resolve) => setTimeout(resolve, 2 * ${LIFE_MS} * Math.random()));
    if (Math.random() < 0.5) process.kill(process.pid, 'SIGKILL');
    throw new Error('crashes on demand');
  }
`;
const CRASHED = /^worker-\d+ died: (killed by SIGKILL|exited with code 70: Error: crashes on demand)/;
const CRASH_TIMEOUT_MS = 5000;

export const crashLeak: Trial = {
  name: 'crash-leak',
  fault: 'worker crashes, four at once without a pause: SIGKILL or an exception',
  size: { unit: 'times', full: 2000, short: undefined },
  victims: /^worker-/,
  limits: [
    atLeast(1, 'crashes', 'by SIGKILL'),
    atLeast(1, 'crashes', 'by an exception'),
    atMost(OPEN_FILES_GROWTH_MAX, 'files', "growth of the primary's open files"),
    atMost(RSS_GROWTH_MAX_MIB, 'MiB', "growth of the primary's memory"),
    atMost(0, 'processes', 'zombies'),
    atMost(0, 'requests', 'failed though not under way'),
  ],
  async run(stage, times) {
    stage.deployment.replace(ENTRY, PLACE, CRASH + PLACE);
    const port = await freePort();
    const system = await stage.start({
      ...debuggerEnv(port),
      WORKERS: String(SERVING + CRASHING),
      // Spares have loaded everything.
      SPARE_WORKERS: '0',
      // Hardly a back-off: 2,000 crashes must not take an hour. Another trial is about the breaker.
      RESTART_BACKOFF_MIN_MS: '1',
      RESTART_BACKOFF_MAX_MS: '1',
      RESTART_INTENSITY: '1000',
      RESTART_WINDOW_MS: '100',
    });
    await stage.startLoad({ kept: 6, fresh: 6, requestsPerSecond: 100 });
    const deaths: Death[] = [];
    const crashes = () => system.lines.filter(({ msg }) => CRASHED.test(msg));
    const crashUntil = async (count: number) => {
      const path = join(stage.dataDir, SWITCH);
      writeFileSync(path, '');
      // Until now these are normal workers with requests under way.
      deaths.push(...(await killChildren(stage, crashingNames())));
      for (let done = crashes().length; done < count; ) {
        const from = system.lines.length;
        await system.waitFor(({ msg }) => CRASHED.test(msg), from, CRASH_TIMEOUT_MS);
        done = crashes().length;
        stage.progress(`${done} of ${times}`);
      }
      const from = system.lines.length;
      rmSync(path);
      // From now on each new worker is a normal one.
      await Promise.all(
        crashingNames().map((name) => stage.until(() => serves(system, name, from), `${name} serves again`)),
      );
    };
    await crashUntil(Math.ceil(times * WARM_SHARE));
    const before = await settled(stage, port);
    await crashUntil(times);
    const after = await settled(stage, port);
    const records = await stage.stopLoad();
    const killed = crashes().filter(({ msg }) => msg.includes('SIGKILL')).length;
    const injected = crashes().length;
    return {
      injected,
      figures: {
        'by SIGKILL': killed,
        'by an exception': injected - killed,
        "growth of the primary's open files": after.openFiles - before.openFiles,
        "growth of the primary's memory": after.rssMiB - before.rssMiB,
        zombies: after.zombies,
        'failed though not under way': failedElsewhere(records, deaths).length,
      },
      notes: [
        `${killed} by SIGKILL; the primary after ${Math.ceil(times * WARM_SHARE)} crashes: ${inWords(before)}; after ${injected}: ${inWords(after)}`,
      ],
    };
  },
};

function crashingNames(): string[] {
  return Array.from({ length: CRASHING }, (_, index) => `worker-${SERVING + index + 1}`);
}

/** @param from index of the first line to look at */
function serves(system: RunningSystem, name: string, from: number): boolean {
  const about = system.lines.slice(from).filter(({ child }) => child === name);
  return about.at(-1)?.msg === `${name} ready`;
}

/** The least of several samples after a garbage collection: what comes and goes is no growth. */
async function settled(stage: Stage, port: number): Promise<Holdings> {
  await stage.sleep(1000);
  await collectGarbage(stage.system, port, (condition, what) => stage.until(condition, what));
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

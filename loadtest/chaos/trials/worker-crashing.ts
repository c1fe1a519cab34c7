import { type Culprit, failedElsewhere, UNKNOWN_HOLDERS } from '../../../src/testing/chaos/blame.ts';
import { reload } from '../../../src/testing/chaos/commands.ts';
import { timeOf } from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import type { LogLine } from '../../../src/testing/running-system.ts';
import type { Trial } from '../trial.ts';

const VICTIM = 'worker-1';
/** Several windows of the breaker, which must have opened by then. */
const OPENS_TIMEOUT_MS = 60_000;
/** A spare gets its name, and so the fault, only with its slot. */
const CRASH = `  let sinceMs: number | undefined;
  setInterval(() => {
    if (process.title !== 'ninelives ${VICTIM}') return;
    sinceMs ??= performance.now();
    if (performance.now() - sinceMs > 2000) throw new Error('crashes after a while');
  }, 50);
  return () => {};`;

export const workerCrashing: Trial = {
  name: 'worker-crashing',
  fault: 'a deploy that lets one worker crash 2 s after each start',
  size: { unit: 'seconds', full: 60, short: undefined },
  victims: /^worker-1$/,
  limits: [
    atMost(10, 'crashes', 'crashes until the breaker opened'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
    atMost(5, 'starts a minute', 'tried again while the breaker is open'),
    atMost(0, 'commands', 'deploys of the cure that failed'),
  ],
  async run(stage, seconds) {
    const system = await stage.start();
    await stage.startLoad();
    stage.deployment.addFeature('chaos', CRASH);
    const from = system.lines.length;
    stage.progress('deploying the crash');
    await reload(stage);
    stage.progress('waiting for the breaker');
    const opened = await system.waitFor(({ msg }) => isBreaker(msg), from, OPENS_TIMEOUT_MS);
    const openedAt = system.lines.indexOf(opened);
    stage.progress(`watching the open breaker for ${seconds} s`);
    await stage.sleep(seconds * 1000);
    const triedAgain = system.lines.slice(openedAt).filter(({ msg }) => msg === `${VICTIM} ready`).length;
    stage.progress('deploying the cure');
    stage.deployment.removeFeatures();
    const cure = await reload(stage);
    const records = await stage.stopLoad();
    const crashes = system.lines.slice(from).filter(({ msg }) => msg.startsWith(`${VICTIM} died`));
    const atOpening = crashes.filter((line) => system.lines.indexOf(line) <= openedAt).length;
    return {
      injected: crashes.length,
      figures: {
        'crashes until the breaker opened': atOpening,
        'failed elsewhere than on the victim': failedElsewhere(records, crashes.map(asCulprit)).length,
        'tried again while the breaker is open': (triedAgain * 60) / Math.max(60, seconds),
        'deploys of the cure that failed': cure.code === 0 ? 0 : 1,
      },
      notes: [
        `the breaker opened after ${atOpening} crashes; tried again ${triedAgain} times in the ${seconds} s after`,
        ...(cure.code === 0 ? [] : [`the cure: the operator was told ${JSON.stringify(cure.output.trim())}`]),
      ],
    };
  },
};

function isBreaker(message: string): boolean {
  return message.startsWith(`${VICTIM} died`) && message.includes('breaker open');
}

function asCulprit(died: LogLine): Culprit {
  const diedMs = timeOf(died);
  return { faultMs: diedMs, diedMs, holders: UNKNOWN_HOLDERS };
}

import { failedElsewhere } from '../../../src/testing/chaos/blame.ts';
import {
  connectionsOf,
  type Death,
  holdersOf,
  recoveryMs,
  timeOf,
  workerNames,
} from '../../../src/testing/chaos/faults.ts';
import { atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const HANG_TIMEOUT_MS = 2000;
/** By then the worker is in the loop, and no connection is being handed over. */
const SETTLED_MS = 300;
/** The log line of a hang cannot take longer. */
const NOTICED_TIMEOUT_MS = HANG_TIMEOUT_MS + 20_000;

/** How the log must name the code that hangs. */
const CULPRIT = /loopForEver [^"]*chaos\/routes\.ts/;

/** The `prepare` of a route whose handler never returns. */
export const LOOP = 'return function loopForEver() { while (true); };';

export const workerLooping: Trial = {
  name: 'worker-looping',
  fault: 'a handler that loops for ever',
  size: { unit: 'times', full: 10, short: 2 },
  victims: /^worker-/,
  limits: [
    atMost(1000, 'ms', 'beyond HANG_TIMEOUT_MS until it is killed'),
    withSpeed(atMost(0, 'hangs', 'without a stack in the log')),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
  ],
  async run(stage, times) {
    stage.deployment.addFeature('chaos', LOOP);
    await stage.start({ HANG_TIMEOUT_MS: String(HANG_TIMEOUT_MS) });
    await stage.startLoad();
    const deaths: Death[] = [];
    const stacks: unknown[] = [];
    while (deaths.length < times) {
      stage.progress(`${deaths.length} of ${times}`);
      const { death, stack } = await loopOnce(stage);
      deaths.push(death);
      stacks.push(stack);
      await stage.sleep(700);
    }
    const records = await stage.stopLoad();
    const told = stacks.filter((stack) => CULPRIT.test(JSON.stringify(stack))).length;
    const late = deaths.map(({ faultMs, diedMs }) => diedMs - faultMs - HANG_TIMEOUT_MS);
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'beyond HANG_TIMEOUT_MS until it is killed': Math.max(...late),
        'without a stack in the log': times - told,
        'failed elsewhere than on the victim': failedElsewhere(records, deaths).length,
      },
      notes: [
        `HANG_TIMEOUT_MS=${HANG_TIMEOUT_MS}; recovery includes it. Failed are those that the hung worker had under way`,
      ],
    };
  },
};

async function loopOnce(stage: Stage): Promise<{ death: Death; stack: unknown }> {
  const { system } = stage;
  const from = system.lines.length;
  const faultMs = Date.now();
  enterLoop(system.url);
  await stage.sleep(SETTLED_MS);
  const connections = connectionsOf(stage, workerNames(stage));
  const told = await system.waitFor(({ stack }) => stack !== undefined, from, NOTICED_TIMEOUT_MS);
  const died = await system.waitFor(
    ({ childPid, msg }) => childPid === told.childPid && / died: /.test(msg),
    from,
  );
  const name = String(died.child);
  const ready = await system.waitFor(({ msg }) => msg === `${name} ready`, from);
  const death = {
    name,
    faultMs,
    diedMs: timeOf(died),
    recoveredMs: timeOf(ready),
    bootMs: Number(ready.startMs),
    holders: holdersOf(connections, [name]),
  };
  return { death, stack: told.stack };
}

/** Sends one worker into the loop. The answer never comes. */
export function enterLoop(url: string): void {
  fetch(`${url}/chaos`, { signal: AbortSignal.timeout(NOTICED_TIMEOUT_MS) }).catch(() => {});
}

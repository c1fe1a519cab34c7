import { killChildren } from '../faults.ts';
import { processNamed } from '../processes.ts';
import { atMost, type Trial } from '../trial.ts';

const HANG_TIMEOUT_MS = 2000;
/** The time that the primary allows beyond the timeout to a child without a heartbeat, and a boot. */
const GRACE_MS = 4000;
const SPARE_TITLE = 'ninelives worker-spare-1';
const SPARE_TIMEOUT_MS = 30_000;
/** The spare has its process title before it has loaded: wait this long for the rest. */
const LOADED_MS = 2000;

export const spareStopped: Trial = {
  name: 'spare-stopped',
  fault: 'SIGSTOP the worker in reserve, then SIGKILL one that serves',
  // Five faults in half a minute would open the breaker of the slot, which is the subject of another trial.
  size: { unit: 'times', full: 3, short: undefined },
  victims: /^worker-/,
  limits: [
    atMost(HANG_TIMEOUT_MS + GRACE_MS, 'ms', 'worst recovery'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
  ],
  async run(stage, times) {
    const { pid } = await stage.start({ HANG_TIMEOUT_MS: String(HANG_TIMEOUT_MS) });
    await stage.startLoad();
    const recoveryMs: number[] = [];
    while (recoveryMs.length < times) {
      stage.progress(`${recoveryMs.length} of ${times}`);
      const spare = () => processNamed(pid, SPARE_TITLE);
      await stage.until(() => spare() !== undefined, 'there is a worker in reserve', SPARE_TIMEOUT_MS);
      await stage.sleep(LOADED_MS);
      process.kill(spare() as number, 'SIGSTOP');
      const [death] = await killChildren(stage, ['worker-1']);
      recoveryMs.push(death!.recoveredMs - death!.faultMs);
    }
    return { injected: times, recoveryMs };
  },
};

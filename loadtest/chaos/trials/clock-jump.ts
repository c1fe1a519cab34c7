import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeast, atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const HOUR_MS = 3_600_000;
const SHIFTED_CLOCK = fileURLToPath(new URL('../shifted-clock.js', import.meta.url));
/** Long enough for each timer that runs every second to fire. */
const SETTLE_MS = 1000;
/** Enough writes to catch the writer in the middle of a commit when it is killed. */
const BUSY = { kept: 36, fresh: 4, requestsPerSecond: 4000 };

export const clockJump: Trial = {
  name: 'clock-jump',
  fault: 'the clock jumps an hour forwards, and back; the writer is killed at each jump',
  size: { unit: 'times', full: 20, short: 4 },
  victims: /^writer$/,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'restarts', 'restarts beside the kills'),
    atLeast(1, 'jumps', 'jumps that the system saw'),
    withSpeed(atLeast(100, 'writes', 'writes after a jump')),
  ],
  async run(stage, times) {
    const offsetPath = join(stage.folder, 'clock-offset-ms');
    setClock(offsetPath, 0);
    const system = await stage.start({
      NODE_OPTIONS: `--import ${SHIFTED_CLOCK}`,
      CHAOS_CLOCK_OFFSET_FILE: offsetPath,
    });
    const load = await stage.startLoad(BUSY);
    const from = system.lines.length;
    const fewest: number[] = [];
    let seen = 0;
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      const offsetMs = turn % 2 === 0 ? HOUR_MS : 0;
      const before = load.counts.acknowledged;
      // The clock jumps between the last commit of one writer and the start of the next.
      const back = killWriter(stage);
      setClock(offsetPath, offsetMs);
      await back;
      await stage.sleep(SETTLE_MS + stage.random.below(100));
      fewest.push(load.counts.acknowledged - before);
      const latest = Date.parse(String(system.lines.at(-1)?.time));
      if (Math.abs(latest - Date.now() - offsetMs) < HOUR_MS / 2) seen += 1;
    }
    const died = system.lines.slice(from).filter(({ msg }) => /^\S+ died: /.test(msg)).length;
    return {
      injected: times,
      figures: {
        'restarts beside the kills': died - times,
        'jumps that the system saw': seen,
        'writes after a jump': Math.min(...fewest),
      },
      notes: ['each time the writer is killed, and the clock set before its successor looks at it'],
    };
  },
};

/** Atomically, because processes read it at any time. */
function setClock(path: string, offsetMs: number): void {
  writeFileSync(`${path}.new`, String(offsetMs));
  renameSync(`${path}.new`, path);
}

async function killWriter(stage: Stage): Promise<void> {
  await stage.system.killChild('writer');
}

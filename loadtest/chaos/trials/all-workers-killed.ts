import { failedElsewhere } from '../blame.ts';
import type { RequestRecord } from '../clients/record.ts';
import { type Death, killChildren, recoveryMs, workerNames } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

export const allWorkersKilled: Trial = {
  name: 'all-workers-killed',
  fault: 'SIGKILL all workers at once',
  size: { unit: 'times', full: 20, short: 3 },
  victims: /^worker-/,
  limits: [
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed though not under way'),
    atMost(100, 'ms', 'longest wait beyond the boot'),
  ],
  async run(stage, times) {
    await stage.start();
    await stage.startLoad();
    const rounds: Death[][] = [];
    while (rounds.length < times) {
      stage.progress(`${rounds.length} of ${times}`);
      rounds.push(await killChildren(stage, workerNames(stage)));
      // Longer than a child has to live to start again without a back-off.
      await stage.sleep(800 + stage.random.below(400));
    }
    const records = await stage.stopLoad();
    const waits = rounds.map((round) => waitBeyondBootMs(records, round));
    return {
      injected: rounds.length,
      recoveryMs: rounds.map((round) => Math.min(...recoveryMs(round))),
      figures: {
        'failed though not under way': failedElsewhere(records, rounds.flat()).length,
        'longest wait beyond the boot': Math.max(...waits),
      },
    };
  },
};

/** How much longer than the first worker's boot the longest of those waited who came while there was none. */
function waitBeyondBootMs(records: readonly RequestRecord[], round: readonly Death[]): number {
  const first = round.reduce((a, b) => (a.recoveredMs <= b.recoveredMs ? a : b));
  const waiting = records.filter(
    ({ startMs, failure }) =>
      failure === undefined && startMs >= first.faultMs && startMs < first.recoveredMs,
  );
  return Math.max(0, ...waiting.map(({ latencyMs }) => latencyMs - first.bootMs));
}

import type { RequestRecord } from '../../record.ts';
import { failedElsewhere } from '../blame.ts';
import { type Death, killChildren, recoveryMs, workerNames } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

interface Wait {
  readonly longestMs: number;
  readonly beyondBootMs: number;
}

export const allWorkersKilled: Trial = {
  name: 'all-workers-killed',
  fault: 'SIGKILL all workers at once',
  size: { unit: 'times', full: 20, short: 2 },
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
      // Longer than a child must live to be started again without a back-off.
      await stage.sleep(800 + stage.random.below(400));
    }
    const records = await stage.stopLoad();
    const waits = rounds.map((round) => waitOf(records, round));
    return {
      injected: rounds.length,
      recoveryMs: rounds.map((round) => Math.min(...recoveryMs(round))),
      figures: {
        'failed though not under way': failedElsewhere(records, rounds.flat()).length,
        'longest wait beyond the boot': Math.max(...waits.map(({ beyondBootMs }) => beyondBootMs)),
      },
      notes: [`the longest wait took ${Math.round(Math.max(...waits.map(({ longestMs }) => longestMs)))} ms`],
    };
  },
};

/**
 * @returns the longest wait of the requests that came while there was no worker, and how much longer it was than a
 *   worker's boot. The longest boot counts: the first worker back is the spare, which is loaded already.
 */
function waitOf(records: readonly RequestRecord[], round: readonly Death[]): Wait {
  const faultMs = Math.min(...round.map((death) => death.faultMs));
  const recoveredMs = Math.min(...round.map((death) => death.recoveredMs));
  const bootMs = Math.max(...round.map((death) => death.bootMs));
  const waiting = records.filter(
    ({ startMs, failure }) => failure === undefined && startMs >= faultMs && startMs < recoveredMs,
  );
  const longestMs = Math.max(0, ...waiting.map(({ latencyMs }) => latencyMs));
  return { longestMs, beyondBootMs: Math.max(0, longestMs - bootMs) };
}

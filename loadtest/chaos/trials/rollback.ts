import { mustReload, run } from '../../../src/testing/chaos/commands.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { addField, DEPLOY_LOAD } from '../deploys.ts';
import { notOfRelease, type Status, statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

export const rollback: Trial = {
  name: 'rollback',
  fault: 'a reload that migrates, then a rollback; at last one that older code cannot live with',
  size: { unit: 'times', full: 5, short: 1 },
  victims: undefined,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'commands', 'rollbacks that failed'),
    atMost(0, 'processes', 'of another release than the old'),
    atMost(0, 'commands', 'impossible rollbacks that exited with 0'),
    atMost(0, 'processes', 'exchanged by an impossible rollback'),
  ],
  async run(stage, times) {
    await stage.start();
    await stage.startLoad(DEPLOY_LOAD);
    const old = (await statusOf(stage)).releases.workers.hash;
    const tookMs: number[] = [];
    const figures = { failed: 0, exited: 0 };
    const strange: string[] = [];
    const notes = new Set<string>();
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      addField(stage.deployment, `note_${turn}`, true);
      await mustReload(stage);
      const startedMs = performance.now();
      const { code, output } = await run(stage, 'rollback');
      tookMs.push(performance.now() - startedMs);
      if (code !== 0) {
        figures.failed += 1;
        notes.add(`the operator was told ${JSON.stringify(output.trim())}`);
      }
      strange.push(...notOfRelease(await statusOf(stage), old));
    }
    stage.progress('a rollback that is impossible');
    addField(stage.deployment, 'contracted', false);
    await mustReload(stage);
    const before = await statusOf(stage);
    const refused = await run(stage, 'rollback');
    if (refused.code === 0) figures.exited += 1;
    const after = new Set(processesIn(await statusOf(stage)));
    return {
      injected: times + 1,
      recoveryMs: tookMs,
      figures: {
        'rollbacks that failed': figures.failed,
        'of another release than the old': strange.length,
        'impossible rollbacks that exited with 0': figures.exited,
        'exchanged by an impossible rollback': processesIn(before).filter((one) => !after.has(one)).length,
      },
      notes: [...notes, ...strange, 'recovery is how long a rollback took, the command included'],
    };
  },
};

function processesIn({ children }: Status): string[] {
  return children.map(({ name, pid, release }) => `${name} ${pid} ${release}`);
}

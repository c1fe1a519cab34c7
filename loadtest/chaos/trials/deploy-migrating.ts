import { reload } from '../../../src/testing/chaos/commands.ts';
import { atLeast, atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { isAcknowledged } from '../../../src/testing/record.ts';
import { newFieldOf, type RequestRecord } from '../clients/record.ts';
import { readDatabase } from '../database.ts';
import { addField, DEPLOY_LOAD } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

/** Longer than a request takes, so that some requests meet the new release alone. */
const AFTERWARDS_MS = 1000;

export const deployMigrating: Trial = {
  name: 'deploy-migrating',
  fault: 'a reload that ships a new column and the code that uses it',
  size: { unit: 'times', full: 5, short: 1 },
  victims: undefined,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'commands', 'reloads that failed'),
    atMost(0, 'writes', 'taken by a new worker without the new field'),
    atMost(0, 'writes', 'taken by an old worker after the reload'),
    withSpeed(atLeast(20, 'writes', 'taken by a new worker')),
  ],
  async run(stage, times) {
    await stage.start();
    const tookMs: number[] = [];
    const figures = { failed: 0, taken: 0, dropped: 0, late: 0 };
    const notes = new Set<string>();
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      const field = `note_${turn}`;
      const load = await stage.startLoad({ ...DEPLOY_LOAD, newField: field });
      addField(stage.deployment, field, true);
      const startedMs = performance.now();
      const { code, output } = await reload(stage);
      tookMs.push(performance.now() - startedMs);
      const endMs = Date.now();
      if (code !== 0) {
        figures.failed += 1;
        notes.add(`the operator was told ${JSON.stringify(output.trim())}`);
      }
      await stage.sleep(AFTERWARDS_MS);
      const written = (await load.stop()).filter(isAcknowledged);
      const taken = written.filter(({ isNewFieldTaken }) => isNewFieldTaken);
      figures.taken += taken.length;
      figures.late += written.filter(
        ({ startMs, isNewFieldTaken }) => startMs > endMs && !isNewFieldTaken,
      ).length;
      if (code === 0) figures.dropped += dropped(stage, field, taken);
    }
    return {
      injected: times,
      recoveryMs: tookMs,
      figures: {
        'reloads that failed': figures.failed,
        'taken by a new worker': figures.taken,
        'taken by a new worker without the new field': figures.dropped,
        'taken by an old worker after the reload': figures.late,
      },
      notes: [...notes, 'recovery is how long a reload took, the command included'],
    };
  },
};

/** @returns how many writes do not have the value that their client sent in the column */
function dropped(stage: Stage, field: string, taken: readonly RequestRecord[]): number {
  return readDatabase(stage, (db) => {
    const find = db
      .prepare<[string], string | null>(`SELECT ${field} FROM alerts WHERE movie_id = ?`)
      .pluck();
    return taken.filter(({ key }) => find.get(key) !== newFieldOf(key)).length;
  });
}

import { reload } from '../../../src/testing/chaos/commands.ts';
import { type Death, killChildren, recoveryMs } from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { isMigrated, readDatabase } from '../database.ts';
import { DEPLOY_LOAD } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import { notOfRelease, statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

const TABLE = 'made_by_a_failing_migration';
/** These succeed on an empty database. */
const FAILING: readonly { readonly what: string; readonly sql: string }[] = [
  {
    what: 'on the rows that there are',
    sql: `CREATE TABLE ${TABLE} (category TEXT UNIQUE) STRICT; INSERT INTO ${TABLE} SELECT category FROM alerts;`,
  },
  {
    // It would succeed on a copy of the database, which has another path.
    what: 'on the live database alone',
    sql: `CREATE TABLE ${TABLE} (is_live INTEGER CHECK (is_live = 0)) STRICT;
INSERT INTO ${TABLE} SELECT file LIKE '%/data/main.db' FROM pragma_database_list WHERE name = 'main';`,
  },
];
const WRITES_GO_ON = 20;

export const deployFailingMigration: Trial = {
  name: 'deploy-failing-migration',
  fault: 'a reload whose migration fails, on a copy or only on the live database; then SIGKILL the writer',
  size: { unit: 'times', full: 6, short: 2 },
  victims: /^writer$/,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'commands', 'reloads that exited with 0'),
    atMost(0, 'commands', 'reloads that did not name the migration'),
    atMost(0, 'migrations', 'applied in part'),
    atMost(0, 'processes', 'of another release than the old'),
  ],
  async run(stage, times) {
    await stage.start();
    const load = await stage.startLoad(DEPLOY_LOAD);
    const running = (await statusOf(stage)).releases.workers.hash;
    const figures = { exited: 0, untold: 0, applied: 0 };
    const strange: string[] = [];
    const notes = new Set<string>();
    const deaths: Death[] = [];
    for (let turn = 0; turn < times; turn += 1) {
      const { what, sql } = FAILING[turn % FAILING.length]!;
      stage.progress(`${turn} of ${times}: ${what}`);
      const file = stage.deployment.addMigration('fail', sql, false);
      const { code, output } = await reload(stage);
      if (code === 0) figures.exited += 1;
      if (!output.includes(file)) {
        figures.untold += 1;
        notes.add(`${what}: the operator was told ${JSON.stringify(output.trim())}`);
      }
      deaths.push(...(await killChildren(stage, ['writer'])));
      const before = load.counts.acknowledged;
      await stage.until(() => load.counts.acknowledged > before + WRITES_GO_ON, 'writes go on');
      if (isMigrated(stage, file) || hasTable(stage)) figures.applied += 1;
      strange.push(...notOfRelease(await statusOf(stage), running));
      stage.deployment.removeMigration(file);
    }
    return {
      injected: times,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'reloads that exited with 0': figures.exited,
        'reloads that did not name the migration': figures.untold,
        'applied in part': figures.applied,
        'of another release than the old': strange.length,
      },
      notes: [...notes, ...strange, 'recovery is that of the writer'],
    };
  },
};

function hasTable(stage: Stage): boolean {
  return readDatabase(
    stage,
    (db) => db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(TABLE) !== undefined,
  );
}

import { join } from 'node:path';
import { type Death, killChildren, recoveryMs } from '../faults.ts';
import { checkHistory } from '../history/check.ts';
import { differingRows, restoreByHand } from '../history/restore.ts';
import { atMost, type Trial } from '../trial.ts';

const DATABASES = ['main', 'media'];

export const litestreamKilled: Trial = {
  name: 'litestream-killed',
  fault: 'SIGKILL litestream every second; then stop and restore',
  size: { unit: 'seconds', full: 60, short: 4 },
  victims: /^litestream$/,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'writes', 'acknowledged, not in the restored replica'),
    atMost(0, 'rows', 'rows that differ in the restored replica'),
  ],
  async run(stage, seconds) {
    await stage.start();
    await stage.startLoad();
    const deaths: Death[] = [];
    await stage.everySecond(seconds, async () => {
      deaths.push(...(await killChildren(stage, ['litestream'])));
    });
    const records = await stage.stopLoad();
    stage.progress('stopping');
    await stage.stopSystem();
    stage.progress('restoring by the stock binary');
    const restored = await restoreByHand(stage, join(stage.dataDir, 'replica'), DATABASES);
    const found = checkHistory(join(restored, 'main.db'), records);
    const differing = DATABASES.map((name) =>
      differingRows(join(stage.dataDir, `${name}.db`), join(restored, `${name}.db`)),
    );
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'acknowledged, not in the restored replica': found.lost.length,
        'rows that differ in the restored replica': differing.reduce((sum, rows) => sum + rows, 0),
      },
    };
  },
};

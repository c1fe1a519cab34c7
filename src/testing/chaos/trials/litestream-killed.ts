import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Death, killChildren, recoveryMs } from '../faults.ts';
import { differingRows, restoreByHand } from '../restore.ts';
import { atMost, type Trial } from '../trial.ts';

export const litestreamKilled: Trial = {
  name: 'litestream-killed',
  fault: 'SIGKILL litestream every second; then stop and restore',
  size: { unit: 'seconds', full: 60, short: 4 },
  victims: /^litestream$/,
  limits: [atMost(0, 'requests', 'failed'), atMost(0, 'rows', 'rows that differ in the restored replica')],
  async run(stage, seconds) {
    await stage.start();
    await stage.startLoad();
    const deaths: Death[] = [];
    await stage.everySecond(seconds, async () => {
      deaths.push(...(await killChildren(stage, ['litestream'])));
    });
    await stage.stopLoad();
    stage.progress('stopping');
    await stage.stopSystem();
    stage.progress('restoring by the stock binary');
    const replica = join(stage.dataDir, 'replica');
    const databases = readdirSync(replica, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const restored = await restoreByHand(stage, replica, databases);
    const differing = databases.map((name) =>
      differingRows(join(stage.dataDir, `${name}.db`), join(restored, `${name}.db`)),
    );
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'rows that differ in the restored replica': differing.reduce((sum, rows) => sum + rows, 0),
      },
    };
  },
};

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { drillDir } from '../../src/replication/drill/record.ts';
import type { Child } from '../../src/supervisor/child.ts';
import { Drills } from '../../src/supervisor/drills.ts';
import { like } from '../support/like.ts';
import { childOf } from '../support/scripted-child.ts';
import { temporaryFolder } from '../support/system.ts';

function makeDrills(dataDir: string, spawn: () => Child): Drills {
  return new Drills({
    dataDir,
    intervalMs: 0,
    spawn,
    log: createLog('test', 'silent', 'json'),
    onChange: () => {},
    onResult: () => {},
  });
}

/** As a drill leaves it that is killed together with its primary. */
function leaveFiles(dataDir: string): string {
  const folder = drillDir(dataDir);
  mkdirSync(folder, { recursive: true });
  for (let file = 0; file < 500; file += 1) writeFileSync(join(folder, `${file}`), '');
  return folder;
}

t.test('a drill that is run at once has its folder to itself', async (t) => {
  const dataDir = temporaryFolder(t);
  const folder = leaveFiles(dataDir);
  const found: boolean[] = [];
  const drills = makeDrills(dataDir, () => {
    found.push(existsSync(folder));
    return childOf(t, 'process.exit(3)').child;
  });
  drills.start();
  like(t, await drills.run(), {
    ok: false,
    reason: 'its process exited by itself with code 3, without saying why',
  });
  t.strictSame(found, [false], 'what an earlier one has left is gone before it begins');
});

t.test('one that is stopped before it begins starts no process', async (t) => {
  const dataDir = temporaryFolder(t);
  leaveFiles(dataDir);
  const drills = makeDrills(dataDir, () => t.fail('it began') as never);
  drills.start();
  const running = drills.run();
  await Promise.all([
    drills.stop('the system stops'),
    t.rejects(running, { code: 'not_ready', message: 'The drill was stopped with the system' }),
  ]);
  await t.rejects(drills.run(), { code: 'not_ready' });
});

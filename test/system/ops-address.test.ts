import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { requestAt } from '../support/request-at.ts';
import { start } from '../support/system.ts';

t.test("what a killed system left behind at the operator's address is no obstacle", async (t) => {
  const system = await start(t);
  const path = join(system.dataDir, 'run', 'ops.sock');
  system.kill('SIGKILL');
  await system.ended();
  t.ok(existsSync(path));
  await start(t, {}, system.dataDir);
  t.equal((await requestAt(path, '/metrics')).status, 200);
});

import { once } from 'node:events';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { databasePath } from '../../../src/replication/litestream-config.ts';
import { prepareDatabases } from '../../../src/replication/prepare.ts';
import { commitAs, openWithHistory } from '../../support/commits.ts';
import { like } from '../../support/like.ts';
import { until } from '../../support/system.ts';
import { keepingLog, makeSite, replicate } from '../fixture.ts';
import { rowsIn } from './salvage-fixture.ts';

t.test('several WALs that Litestream could not upload are added in their order', async (t) => {
  const site = await makeSite(t);
  const path = databasePath(site.config.DATA_DIR, 'main');
  const shadow = join(site.config.DATA_DIR, '.main.db-litestream', 'generations');
  const child = await replicate(t, site);
  const db = openWithHistory(path);
  t.teardown(() => db.close());
  commitAs(db, 'a', 10);
  await until(() => site.lines.some(({ message }) => message === 'wal segment written'), 'it is uploaded');
  // From now on its uploads fail.
  const replica = join(site.root, 'replica');
  renameSync(replica, `${replica}.away`);
  writeFileSync(replica, '');
  const shadows = () => readdirSync(shadow).flatMap((name) => readdirSync(join(shadow, name, 'wal'))).length;
  let commits = 10;
  await until(() => {
    commitAs(db, `b-${commits}`, 10, 'x'.repeat(20_000));
    commits += 10;
    return shadows() >= 3;
  }, 'Litestream has begun its third WAL');
  child.kill('SIGKILL');
  await once(child, 'exit');
  rmSync(replica);
  renameSync(`${replica}.away`, replica);
  const { binary, configPath, databases, env, config } = site;
  for (const name of ['main.db']) writeFileSync(join(config.DATA_DIR, name), Buffer.alloc(100_000, 0xa5));
  const [prepared] = await prepareDatabases({
    config,
    binary,
    configPath,
    databases,
    env,
    log: keepingLog().log,
  });
  like(t, prepared, { outcome: 'restored' });
  t.match(prepared?.loss, /were not in the replica and came from the WAL/);
  t.equal(rowsIn(path), commits);
});

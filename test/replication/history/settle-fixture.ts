import type { Test } from 'tap';
import { confirmationOf } from '../../../src/replication/confirmation.ts';
import { readHistory } from '../../../src/replication/history/history.ts';
import { HistoryKeeper } from '../../../src/replication/history/keeper.ts';
import { databasePath } from '../../../src/replication/litestream-config.ts';
import { type Prepared, prepareDatabases } from '../../../src/replication/prepare.ts';
import { commitAndDie } from '../../support/commits.ts';
import { until } from '../../support/system.ts';
import { endQuietly, keepingLog, replicate, type Site } from '../fixture.ts';

export function pathOf(site: Site): string {
  return databasePath(site.config.DATA_DIR, 'main');
}

export async function prepare(site: Site): Promise<Prepared> {
  const { config, binary, configPath, databases, env } = site;
  const { log } = keepingLog();
  const [prepared] = await prepareDatabases({
    config,
    binary,
    configPath,
    databases,
    env,
    log,
    stallTimeoutMs: 5000,
  });
  return prepared!;
}

/**
 * Runs once as a system does: prepared, Litestream, commits of one session, the end of Litestream, the mark.
 * @param whenReplicating awaited before anything is committed
 */
export async function run(
  t: Test,
  site: Site,
  session: string,
  count: number,
  whenReplicating = async () => {},
): Promise<Prepared> {
  const prepared = await prepare(site);
  const { log } = keepingLog();
  const { DATA_DIR, replica } = site.config;
  const keeper = new HistoryKeeper({
    dataDir: DATA_DIR,
    replicaUrl: replica.url,
    log,
    onNotice: () => {},
    onChange: () => {},
  });
  keeper.open();
  const from = site.lines.length;
  const child = await replicate(t, site);
  await whenReplicating();
  await commitAndDie(pathOf(site), session, count);
  const confirmations = () => site.lines.slice(from).flatMap((line) => confirmationOf(line) ?? []);
  await until(() => confirmations().length > 0, 'some of it is uploaded');
  await endQuietly(child, site);
  for (const confirmation of confirmations()) keeper.confirmed(confirmation);
  const { last, lastAtMs } = readHistory(pathOf(site));
  keeper.told({
    main: {
      lagMs: 0,
      unconfirmedBytes: 0,
      unconfirmedCommits: 0,
      lastCommit: { ...last!, atMs: lastAtMs },
      confirmed: undefined,
    },
  });
  keeper.close(true);
  return prepared;
}

import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import t from 'tap';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { restoreDatabase } from '../../src/replication/restore.ts';
import { clarified } from '../../src/replication/restore-failure.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { contentOf, failureOf, filesIn, makeReplicated, makeSite, type Site, s3Settings } from './fixture.ts';
import { assertNothingLeft, optionsFor } from './restore-fixture.ts';

/** The folder of the one generation of database main in a file replica. */
function generationDir(site: Site): string {
  const generations = join(site.root, 'replica', 'main', 'generations');
  return join(generations, readdirSync(generations)[0] as string);
}

t.test('a database comes back from a folder with every row', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const before = filesIn(site.config.DATA_DIR);
  const progress: number[] = [];
  const onProgress = ({ elapsedMs }: { elapsedMs: number }) => void progress.push(elapsedMs);

  t.ok(await restoreDatabase(optionsFor(site, { onProgress })));

  t.same(contentOf(join(site.root, 'out.db')), contentOf(databasePath(site.config.DATA_DIR, 'main')));
  t.same(filesIn(site.config.DATA_DIR), before, 'the database itself was not touched');
  t.same(readdirSync(join(site.root, 'scratch')), []);
});

t.test('a database comes back from a bucket with every row', async (t) => {
  const store = await startS3(t);
  const site = await makeSite(t, s3Settings(store));
  await makeReplicated(t, site);
  t.ok(await restoreDatabase(optionsFor(site)));
  t.same(contentOf(join(site.root, 'out.db')), contentOf(databasePath(site.config.DATA_DIR, 'main')));
});

t.test('nothing was ever replicated', async (t) => {
  await t.test('to a folder that is not there yet', async (t) => {
    const site = await makeSite(t);
    t.notOk(await restoreDatabase(optionsFor(site)));
    assertNothingLeft(t, site);
  });
  await t.test('to a folder that is empty', async (t) => {
    const site = await makeSite(t);
    mkdirSync(join(site.root, 'replica', 'main', 'generations'), { recursive: true });
    t.notOk(await restoreDatabase(optionsFor(site)));
  });
  await t.test('to a bucket', async (t) => {
    const site = await makeSite(t, s3Settings(await startS3(t)));
    t.notOk(await restoreDatabase(optionsFor(site)));
    assertNothingLeft(t, site);
  });
});

t.test('a replica that is broken is neither empty nor half restored', async (t) => {
  const breaks: Record<string, (site: Site) => void> = {
    'the snapshot is gone': (site) => rmSync(join(generationDir(site), 'snapshots'), { recursive: true }),
    'the snapshot is cut off': (site) =>
      truncateSync(join(generationDir(site), 'snapshots', '00000000.snapshot.lz4'), 100),
    'the snapshot is something else': (site) =>
      writeFileSync(join(generationDir(site), 'snapshots', '00000000.snapshot.lz4'), 'x'.repeat(4096)),
    'only a half-written snapshot is there': (site) => {
      const folder = generationDir(site);
      rmSync(folder, { recursive: true });
      mkdirSync(join(folder, 'snapshots'), { recursive: true });
      writeFileSync(join(folder, 'snapshots', '00000000.snapshot.lz4.tmp'), 'half');
    },
  };
  for (const [name, breakIt] of Object.entries(breaks)) {
    await t.test(name, async (t) => {
      const site = await makeSite(t);
      await makeReplicated(t, site);
      breakIt(site);
      const failure = await failureOf(restoreDatabase(optionsFor(site)));
      like(t, failure, { code: 'restore_failed', message: /main/ });
      assertNothingLeft(t, site);
    });
  }
});

t.test('a snapshot that no WAL follows yet is passed over for the one before', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const dir = generationDir(site);
  const rows = contentOf(databasePath(site.config.DATA_DIR, 'main'));
  // As when the machine is lost right after a periodic snapshot: its index is beyond every WAL in the replica.
  writeFileSync(
    join(dir, 'snapshots', '00000007.snapshot.lz4'),
    readFileSync(join(dir, 'snapshots', '00000000.snapshot.lz4')),
  );
  t.ok(await restoreDatabase(optionsFor(site)));
  t.same(contentOf(join(site.root, 'out.db')), rows);
});

t.test('it never overwrites', async (t) => {
  const site = await makeSite(t);
  writeFileSync(join(site.root, 'out.db'), 'precious');
  t.equal((await failureOf(restoreDatabase(optionsFor(site)))).code, 'file_exists');
});

t.test('a Litestream that cannot be started is a failure, not an empty replica', async (t) => {
  const site = await makeSite(t, s3Settings(await startS3(t)));
  await makeReplicated(t, site);
  const binary = { path: join(site.root, 'nothing'), version: '0.3.13', format: 'wal' as const, stamp: '' };
  const unstarted = await failureOf(restoreDatabase(optionsFor(site, { binary })));
  t.equal(unstarted.code, 'restore_failed');
  like(t, clarified(unstarted), { code: 'restore_failed' }, 'nor one that is damaged');
  const killed = { ...binary, path: join(site.root, 'killed') };
  writeFileSync(killed.path, '#!/bin/sh\nkill -KILL $$', { mode: 0o700 });
  like(t, clarified(await failureOf(restoreDatabase(optionsFor(site, { binary: killed })))), {
    code: 'restore_failed',
  });
  const notLitestream = { path: execPath, version: '0.3.13', format: 'wal' as const, stamp: '' };
  const ended = await failureOf(restoreDatabase(optionsFor(site, { binary: notLitestream })));
  t.equal(ended.code, 'restore_failed');
  like(t, clarified(ended), { code: 'replica_damaged' });
});

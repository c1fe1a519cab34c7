import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noteOf, request } from '../support/http.ts';
import { deploy } from './release-refused-fixture.ts';

t.test('a release with another database needs a restart', async (t) => {
  const { isRefused } = await deploy(t, (next) => {
    next.replace('test/small-app/files/feature.ts', "database: 'media',", "database: 'pictures',");
  });
  await isRefused(t, 84, /has the databases main, pictures, and main, media are replicated/);
});

t.test('a migration for which writes would wait too long needs a yes', async (t) => {
  const { isRefused, place, system } = await deploy(t, (next) => {
    next.addMigration(
      'count_slowly',
      `CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;
INSERT INTO numbers WITH RECURSIVE all_of(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of WHERE n < 300000) SELECT n FROM all_of;`,
      true,
    );
  });
  place.settings('WRITE_DEADLINE_MS=10\n');
  await isRefused(
    t,
    64,
    /Writes would wait \d+ ms for main notes\/\d{4}_count_slowly\.sql, as tried on a copy, .* To do it all the same: ninelives reload --yes\./,
  );
  const { code, stderr } = await place.run('reload', '--yes');
  t.equal(code, 0, stderr);
  place.settings('');
  t.equal((await place.run('reload')).code, 0);
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
});

t.test('a migration that breaks the release that runs is refused, and says what to do', async (t) => {
  const { isRefused, place } = await deploy(t, (next, first) => {
    first.addFeature('probe', "db.prepare('SELECT x FROM probe'); return () => {};");
    next.addFeature('probe', 'return () => {};');
    for (const deployment of [first, next]) {
      deployment.write(
        'test/small-app/probe/migrations/0001_make.sql',
        'CREATE TABLE probe (x INTEGER) STRICT;\n',
      );
    }
    next.write('test/small-app/probe/migrations/0002_drop.sql', 'DROP TABLE probe;\n');
  });
  await isRefused(
    t,
    78,
    /The migrations main probe\/0002_drop\.sql break the release that runs: .*no such table: probe\. Expand first: /,
  );
  t.notOk(existsSync(join(place.dataDir, 'run', 'dry-run')), 'the copies are removed');
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { until } from '../support/system.ts';
import { placeOf } from './app-settings-fixture.ts';

t.test(
  'a start with a wrong setting of the app is refused, each by its name, and doctor and help know them',
  async (t) => {
    const place = placeOf(t);
    writeFileSync(join(place.folder, '.env'), 'WORDS_MAX=many\nWORDS_MXA=1\nWORKRES=1\n');
    const wrong = ['  WORDS_MAX: expected a digit', '  WORDS_MXA: is no setting; expected WORDS_MAX?'];
    const doctor = await place.run('doctor', '--json');
    t.equal(doctor.code, 78);
    t.equal(
      JSON.parse(doctor.stdout).findings[0].detail,
      ['WORKRES: is no setting; expected WORKERS?', ...wrong.map((line) => line.trim())].join('; '),
    );
    writeFileSync(join(place.folder, '.env'), 'WORDS_MAX=many\nWORDS_MXA=1\n');
    const system = place.launch();
    t.equal((await system.ended()).code, 78);
    t.strictSame(system.stderr.trim().split('\n').slice(-2), wrong);
    const help = await place.run('start', '--help');
    t.strictSame(help.stdout.trimEnd().split('\n').slice(-4), [
      '  WORDS_MAX     how many (default 3)',
      '  WORDS_FOLDER  where (takes a restart)',
      '  WORDS_KEY     a key (secret)',
      '  RUN_KEY       another key (secret)',
    ]);
  },
);

t.test(
  'a background process has the settings and its secrets, writes, reports, and is drained',
  async (t) => {
    const place = placeOf(t);
    const env = join(place.folder, '.env');
    writeFileSync(env, 'WORDS_MAX=4\nWORDS_KEY=nothing-of-theirs\nRUN_KEY=mine\n');
    const system = await place.start();
    const noted = async () => (await fetch(`${system.url}/noted`)).text();
    const isNoted = (all: object) =>
      until(async () => (await noted()) === JSON.stringify(all), JSON.stringify(all));
    await isNoted({ repeater: '4,none,none,true', runner: '4,mine,none,true' });
    await until(async () => {
      const { degraded } = (await (await fetch(`${system.url}/ready`)).json()) as { degraded?: unknown[] };
      return isDeepStrictEqual(degraded, [{ name: 'runner', reason: 'words are missing' }]);
    }, 'its trouble is told');
    const { gauges } = (await place.status()).children.find(({ name }) => name === 'runner')!;
    t.strictSame(gauges, { words: 7 });
    writeFileSync(env, 'WORDS_MAX=5\nRUN_KEY=mine-2\n');
    t.equal((await place.run('reload', '--yes')).code, 0);
    await isNoted({ drained: '4', repeater: '5,none,none,true', runner: '5,mine-2,none,true' });
    t.equal((await system.stop()).code, 0);
    const db = openReader(join(place.dataDir, 'main.db'));
    t.teardown(() => db.close());
    const last = db.prepare("SELECT text FROM noted WHERE by = 'drained'").pluck().get();
    t.equal(last, '5', 'what it wrote last is in the database');
  },
);

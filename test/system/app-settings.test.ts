import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { Installation } from '../support/installation.ts';
import { until } from '../support/system.ts';

const SECRET = 'a-secret-that-nobody-shows';

/** Tells by its answer what the workers have of the settings. */
const APP = `import { z } from 'zod';
import { defineApp, defineFeature } from '../src/contract/app.ts';
import { defineCommand } from '../src/contract/feature.ts';
import { defineRoute } from '../src/contract/route.ts';
import { repeat } from '../src/background.ts';
export default defineApp({
  title: 'Words',
  description: 'Words.',
  features: [
    defineFeature({
      name: 'words',
      database: 'main',
      migrations: new URL('./migrations/', import.meta.url),
      settings: async () => ({
        WORDS_MAX: { schema: z.string().regex(/^\\d$/, 'expected a digit'), default: '3', changes: 'reload', about: 'how many' },
        WORDS_FOLDER: { schema: z.string().optional(), changes: 'restart', about: 'where' },
        WORDS_KEY: { schema: z.string().min(9, 'expected 9 characters').optional(), changes: 'reload', takenBy: ['worker'], about: 'a key' },
        RUN_KEY: { schema: z.string().optional(), changes: 'reload', takenBy: ['runner'], about: 'another key' },
      }),
      commands: async () => ({
        note: defineCommand({
          input: z.object({ by: z.string(), text: z.string() }),
          prepare(db) {
            const note = db.prepare('INSERT INTO noted (by, text) VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text');
            return ({ by, text }) => void note.run(by, text);
          },
        }),
      }),
      background: [
        {
          name: 'repeater',
          prepare: async () => repeat({ everyMs: 50 }, async ({ db, write, config, secrets }) => {
            const [{ count }] = db.prepare('SELECT count(*) AS count FROM noted').all();
            const text = [config.WORDS_MAX, config.WORDS_KEY ?? 'none', secrets.WORDS_KEY ?? 'none', count > 0].join();
            await write('note', { by: 'repeater', text });
          }),
        },
        {
          name: 'runner',
          prepare: async () => ({ write, config, secrets, report, onDrain }) => {
            const drained = Promise.withResolvers();
            onDrain(drained.resolve);
            return async ({ url }) => {
              const text = [config.WORDS_MAX, secrets.RUN_KEY, process.env.RUN_KEY ?? 'none', url.startsWith('http')].join();
              await write('note', { by: 'runner', text });
              report({ gauges: { words: 7 }, trouble: 'words are missing' });
              await drained.promise;
              await write('note', { by: 'drained', text: config.WORDS_MAX });
            };
          },
        },
      ],
      routes: async () => [
        defineRoute({
          method: 'get', path: '/noted', scope: 'read', rate: 'caller', id: 'getNoted', summary: 'What is noted',
          answers: { 200: { description: 'It.' } },
          prepare({ db }) {
            const all = db.prepare('SELECT by, text FROM noted ORDER BY by');
            return (ctx) => { ctx.body = JSON.stringify(Object.fromEntries(all.all().map(({ by, text }) => [by, text]))); };
          },
        }),
        defineRoute({
          method: 'get', path: '/words', scope: 'read', rate: 'caller', id: 'getWords', summary: 'The words',
          answers: { 200: { description: 'They.' } },
          prepare: ({ config, secrets }) => (ctx) => {
            ctx.body = [config.WORDS_MAX, config.WORDS_KEY ?? 'none', secrets.WORDS_KEY, process.env.WORDS_KEY ?? 'none'].join();
          },
        }),
      ],
    }),
  ],
});
`;

function placeOf(t: Test): Installation {
  const place = new Installation(t);
  const release = place.release('1.0.0');
  release.write('words/app.ts', APP);
  release.write(
    'words/migrations/0001_create_noted.sql',
    'CREATE TABLE noted (by TEXT PRIMARY KEY, text TEXT) STRICT;',
  );
  release.replace('package.json', '"app": "test/small-app/app.ts"', '"app": "words/app.ts"');
  place.point('1.0.0');
  return place;
}

function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'latin1');
}

t.test(
  'what a feature declares is read, brought in by a reload, and a secret is its takers’ alone',
  async (t) => {
    const place = placeOf(t);
    const env = join(place.folder, '.env');
    writeFileSync(env, `WORDS_MAX=4\nWORDS_KEY=${SECRET}\n`);
    const system = await place.start();
    const words = async () => (await fetch(`${system.url}/words`)).text();
    t.equal(await words(), `4,none,${SECRET},none`);
    const { primary, children, releases } = await place.status();
    const holders = [{ name: 'primary', pid: primary.pid }, ...children].filter(
      ({ pid }) => pid && environmentOf(pid).includes(SECRET),
    );
    t.strictSame(
      holders.map(({ name }) => name),
      ['worker-1'],
    );
    writeFileSync(env, `WORDS_MAX=5\nWORDS_KEY=${SECRET}-2\n`);
    t.equal((await place.run('reload', '--yes')).code, 0);
    t.equal(await words(), `5,none,${SECRET}-2,none`);

    writeFileSync(env, 'WORDS_MAX=many\nWORDS_KEY=short\nWORDS_MXA=1\n');
    const refused = await place.run('reload', '--yes');
    t.equal(refused.code, 78);
    t.strictSame(refused.stderr.trim().split('\n').slice(-1), [
      `ninelives: The configuration is wrong: WORDS_MAX: expected a digit; WORDS_KEY: expected 9 characters; WORDS_MXA: is no setting; expected WORDS_MAX?. Nothing was exchanged: release 1.0.0 (${releases.workers.hash}) goes on.`,
    ]);
    writeFileSync(env, `WORDS_MAX=5\nWORDS_KEY=${SECRET}-2\nWORDS_FOLDER=/x\n`);
    t.equal((await place.run('reload', '--yes')).code, 84, 'one that takes a restart');
    t.equal(await words(), `5,none,${SECRET}-2,none`);
    t.equal((await system.stop()).code, 0);
    const log = system.lines.map((line) => JSON.stringify(line)).join();
    t.notOk(log.includes(SECRET));
    const kept = readdirSync(place.dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/node_modules/'))
      .filter((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1').includes(SECRET));
    t.strictSame(kept, []);
  },
);

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

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Installation } from '../support/installation.ts';

const SECRET = 'a-secret-that-nobody-shows';

/** Tells by its answer what the workers have of the settings. */
const APP = `import { z } from 'zod';
import { defineApp, defineFeature } from '../src/contract/app.ts';
import { defineRoute } from '../src/contract/route.ts';
export default defineApp({
  title: 'Words',
  description: 'Words.',
  features: [
    defineFeature({
      name: 'words',
      database: 'main',
      migrations: new URL('./none/', import.meta.url),
      settings: async () => ({
        WORDS_MAX: { schema: z.string().regex(/^\\d$/, 'expected a digit'), default: '3', changes: 'reload', about: 'how many' },
        WORDS_FOLDER: { schema: z.string().optional(), changes: 'restart', about: 'where' },
        WORDS_KEY: { schema: z.string().min(9, 'expected 9 characters').optional(), changes: 'reload', takenBy: ['worker'], about: 'a key' },
      }),
      commands: async () => ({}),
      routes: async () => [
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
  release.write('words/none/.keep', '');
  release.replace('package.json', '"app": "src/app/app.ts"', '"app": "words/app.ts"');
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
    t.strictSame(help.stdout.trimEnd().split('\n').slice(-3), [
      '  WORDS_MAX     how many (default 3)',
      '  WORDS_FOLDER  where (takes a restart)',
      '  WORDS_KEY     a key (secret)',
    ]);
  },
);

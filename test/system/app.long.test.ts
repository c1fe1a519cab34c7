import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { request } from '../support/http.ts';
import { Installation } from '../support/installation.ts';
import { until } from '../support/system.ts';
import { chassis, placeOf } from './app-fixture.ts';

t.test('an app of another is served by the same chassis', async (t) => {
  const place = placeOf(t, (place) => {
    const release = chassis(place, '1.0.0');
    release.write(
      'things/app.ts',
      `import { defineApp, defineFeature, defineRoute, Failure } from '../src/index.ts';
export default defineApp({
  title: 'Things & more',
  description: 'Things.',
  features: [
    defineFeature({
      name: 'things',
      database: 'main',
      migrations: new URL('./migrations/', import.meta.url),
      codes: { thing_lost: { title: 'The thing is lost', httpStatus: 410, exitCode: 65 } },
      metrics: {
        things_asked_total: { type: 'counter', help: 'Things asked for.', labels: ['how'] },
        thing_seconds: { type: 'histogram', help: 'How long one takes.', unit: 'seconds', bounds: [1, 10] },
      },
      commands: async () => ({}),
      routes: async () => [
        defineRoute({
          method: 'get', path: '/thing', scope: 'read', rate: 'caller', id: 'getThing', summary: 'A thing',
          answers: {}, errors: ['thing_lost'],
          prepare: ({ observe }) => () => {
            observe('things_asked_total', 1, { how: 'twice' });
            observe('thing_seconds', 2);
            throw new Failure('thing_lost', 'It is gone');
          },
        }),
      ],
    }),
  ],
});
`,
    );
    release.write(
      'things/migrations/0001_create_things.sql',
      'CREATE TABLE things (id INTEGER PRIMARY KEY);',
    );
    release.replace('package.json', '"none": ""', '"app": "things/app.ts"');
    return release;
  });
  const system = await place.start();
  const { status, text } = await request(`${system.url}/thing`);
  t.equal(status, 410);
  const { code, title } = JSON.parse(text);
  t.strictSame({ code, title }, { code: 'thing_lost', title: 'The thing is lost' });
  const { info, paths } = JSON.parse((await request(`${system.url}/openapi.json`)).text);
  t.equal(info.title, 'Things & more');
  t.equal(paths['/thing'].get.responses[410].description, '`thing_lost`: The thing is lost.');
  const counted = async () => {
    const { text } = await request(`${system.url}/metrics`);
    return text.split('\n').filter((line) => /^ninelives_thing/.test(line));
  };
  const expected = [
    'ninelives_things_asked_total{how="twice"} 1',
    'ninelives_thing_seconds_bucket{le="1"} 0',
    'ninelives_thing_seconds_bucket{le="10"} 1',
    'ninelives_thing_seconds_bucket{le="+Inf"} 1',
    'ninelives_thing_seconds_sum 2',
    'ninelives_thing_seconds_count 1',
  ];
  await until(async () => isDeepStrictEqual(await counted(), expected), 'the worker has told what it counts');
  await system.killChild('worker-1');
  t.strictSame(await counted(), expected, 'a count outlives its process');
  const home = (await request(`${system.url}/`)).text;
  t.equal(/<h1>(.*)<\/h1>/.exec(home)?.[1], 'Things &amp; more');
});

t.test('an app that begins a timer while it is loaded starts, reloads and stops', async (t) => {
  const place = new Installation(t);
  for (const version of ['1.0.0', '2.0.0'])
    place.release(version).prepend('test/small-app/app.ts', 'setInterval(() => {}, 1000);');
  place.point('1.0.0');
  const system = await place.start();
  place.point('2.0.0');
  const { code, stderr } = await place.run('reload');
  t.equal(code, 0, stderr);
  t.equal((await system.stop()).code, 0);
});

t.test('a background process whose work ends by itself is told as such', async (t) => {
  const place = placeOf(t, (place) => {
    const release = place.release('1.0.0');
    release.replace(
      'test/small-app/notes/tally.ts',
      'while (!drained.signal.aborted)',
      'for (const _ of [1])',
    );
    return release;
  });
  const system = await place.start();
  const { msg } = await system.waitFor((line) => line.msg.startsWith('tally died: '));
  t.equal(
    / code 70: Error: The work of tally has ended by itself; expected it to work until onDrain calls /.test(
      msg,
    ),
    true,
    msg,
  );
  await system.stop();
});

t.test('an app that cannot be used is refused in a sentence', async (t) => {
  for (const [what, change, expected] of [
    [
      'two processes of one name',
      [
        'test/small-app/files/feature.ts',
        "database: 'media',",
        "database: 'media',\n  background: [{ name: 'tally', prepare: async () => () => async () => {} }],",
      ],
      'The app in test/small-app/app.ts cannot be used; features[1] (files): there is another process tally, of features[0] (notes); expected another name',
    ],
    [
      'one route of two features',
      ['test/small-app/files/routes.ts', "path: '/file',", "path: '/note',"],
      'The app in test/small-app/app.ts cannot be used; features[1] (files) POST /note: is served by features[0] (notes) POST /note, too; expected another path or method',
    ],
    [
      'a module that exports none',
      ['test/small-app/app.ts', 'export default defineApp(', 'export const app = defineApp('],
      'The app is test/small-app/app.ts, by ninelives.app in package.json or --app, and that module exports no app as default: defineApp makes one',
    ],
  ] as const) {
    const place = placeOf(t, (place) => {
      const release = place.release('1.0.0');
      release.replace(change[0], change[1], change[2]);
      return release;
    });
    const system = place.launch();
    t.equal((await system.ended()).code, 78, what);
    const [line] = system.stderr.trim().split('\n').slice(-1);
    t.equal(
      line?.replace(/Release \S+ \(\w+\)/, 'Release X'),
      `ninelives: Release X cannot be loaded: ${expected}`,
    );
  }
});

import t from 'tap';
import { request } from '../support/http.ts';
import { chassis, placeOf } from './app-fixture.ts';

t.test('the chassis serves without an app, and says nothing of one', async (t) => {
  const place = placeOf(t, (place) => chassis(place, '1.0.0'));
  const system = await place.start();
  const { msg } = system.lines.find((line) => line.msg.startsWith('ready: '))!;
  t.equal(msg.includes('mail'), false, msg);
  const { info, paths } = JSON.parse((await request(`${system.url}/openapi.json`)).text);
  t.equal(info.title, 'ninelives');
  t.equal(info.description.split('\n')[0], 'An API without an app.');
  t.strictSame(
    Object.keys(paths).filter((path) => path.startsWith('/note') || path.startsWith('/file')),
    [],
  );
  const { children } = await place.status();
  t.strictSame(
    children.map(({ name }) => name),
    ['litestream', 'writer', 'worker-1'],
  );
  t.equal((await request(`${system.url}/ready`)).status, 200);
  t.equal((await system.stop()).code, 0);
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

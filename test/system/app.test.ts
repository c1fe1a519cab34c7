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

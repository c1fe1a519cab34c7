import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { request } from '../support/http.ts';
import { startS3 } from '../support/s3.ts';
import { launch, until } from '../support/system.ts';
import { pair, standsBy, written } from './failover-fixture.ts';

t.test(
  'of two one leads; when it is killed and its data is gone, the other serves all that was replicated',
  async (t) => {
    const { member, record } = await pair(t);
    const a = member('a');
    const b = member('b');
    await Promise.race([a.ready(), b.ready()]);
    const isA = a.lines.some(({ msg }) => msg.startsWith('ready: '));
    const [leader, standby] = isA ? [a, b] : [b, a];
    const url = await standsBy(standby);
    await written(leader, 'one');
    t.equal(record().epoch, 1);
    t.equal(record().data, 'e000001');

    await t.test('the standby answers that it stands by, and who leads', async (t) => {
      const ready = async () => request(`${url}/ready`);
      await until(async () => (await ready()).text.includes(`process ${leader.pid}`), 'a look at the record');
      const { status, json } = await ready();
      t.equal(status, 503);
      t.strictSame(json.errors, [
        { field: 'standby', message: `${isA ? 'a' : 'b'} (process ${leader.pid}) leads (standby)` },
      ]);
      t.equal((await request(`${url}/health`)).status, 200);
      t.equal((await request(`${url}/note/one`)).status, 503);
      t.equal(
        standby.lines.some(({ msg }) => msg.startsWith('ready: ')),
        false,
      );
    });

    leader.kill('SIGKILL');
    await leader.ended();
    rmSync(leader.dataDir, { recursive: true, force: true });
    await standby.ready();
    t.equal((await request(`${url}/note/one`)).status, 200);
    await written(standby, 'two');
    t.equal(record().epoch, 2);
    t.equal(record().data, 'e000002');
    // On a busy machine the last write may be on its way for a while.
    await until(
      async () => isDeepStrictEqual((await request(`${url}/ready`)).json, { ready: true }),
      'all is well',
    );
  },
);

t.test('with a store that ignores If-Match alone a start is refused', async (t) => {
  const store = await startS3(t, 'half', ['if-none-match']);
  const system = launch(t, { ...s3Environment(store, 'app'), FAILOVER: 'lease' });
  const { code } = await system.ended();
  t.equal(code, 78);
  const text = system.lines.map(({ msg }) => msg).join('\n');
  t.ok(
    text.includes(
      'The store of s3://half/app ignores If-Match, so that of two systems that write at once both would lead. FAILOVER=lease needs another store.',
    ),
    text,
  );
});

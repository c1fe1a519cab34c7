import t from 'tap';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { exchange, linkOf, makeKey } from './ops-link-fixture.ts';

/** More than there are workers, on connections of their own. */
const TRIES = 12;

t.test(
  'a link is exchanged once, over all workers, for a session that is good in each and only reads',
  async (t) => {
    const system = await start(t);
    await makeKey(system);
    const { url } = system;
    const link = await linkOf(system);
    t.equal(link.origin + link.pathname, `${url}/ops`);
    const token = link.hash.slice(1);
    const answers = await Promise.all(Array.from({ length: TRIES }, () => exchange(url, token)));
    const opened = answers.filter(({ status }) => status === 200);
    t.equal(opened.length, 1);
    t.same([...new Set(answers.map(({ status }) => status))].sort(), [200, 401]);
    t.match(
      answers.find(({ status }) => status === 401)?.json.detail,
      /was opened before.*npx ninelives ops/,
    );
    const { session, expires_in_seconds } = opened[0]!.json;
    t.equal(expires_in_seconds, 3600);
    t.equal(opened[0]!.headers['cache-control'], 'no-store');
    t.equal(opened[0]!.headers['set-cookie'], undefined);

    const headers = { Authorization: `Bearer ${session}` };
    const everywhere = async () => {
      const got = await Promise.all(
        Array.from({ length: TRIES }, () => request(`${url}/metrics`, { headers })),
      );
      return [...new Set(got.map(({ status }) => status))];
    };
    t.same(await everywhere(), [200]);
    like(t, (await request(`${url}/ready?verbose`, { headers })).json.replication, { state: String });
    for (const [method, path] of [
      ['GET', '/note'],
      ['POST', '/note'],
      ['GET', '/note/x'],
      ['DELETE', '/note/x'],
    ])
      t.equal((await request(url + path, { method: method!, headers })).status, 401, `${method} ${path}`);
    t.equal((await request(`${url}/metrics`, { headers: { Authorization: `Bearer ${token}` } })).status, 401);
    t.equal((await exchange(url, session)).status, 401, 'a session is no link');
    t.equal((await exchange(url, '')).status, 401);
    t.equal((await request(`${url}/ops/session`, { method: 'POST', body: {} })).status, 422);

    await system.killChild('worker-1');
    t.equal((await command(['reload'], { DATA_DIR: system.dataDir })).code, 0);
    t.same(await everywhere(), [200], 'workers may go');
    const unused = (await linkOf(system)).hash.slice(1);
    await system.stop();
    const logged = JSON.stringify(system.lines) + system.stderr;
    for (const secret of [token, unused, session])
      t.notOk(logged.includes(secret), 'nothing of it is in the log');

    const next = await start(t, {}, system.dataDir);
    t.equal((await request(`${next.url}/metrics`, { headers })).status, 401, 'a restart ends it');
    t.equal((await exchange(next.url, unused)).status, 401);
  },
);

t.test('without a system there is no link', async (t) => {
  const ran = await command(['ops'], { DATA_DIR: temporaryFolder(t) });
  t.equal(ran.code, 75);
  t.equal(ran.stdout, '');
  t.match(ran.stderr, /^ninelives: No system runs on /);
});

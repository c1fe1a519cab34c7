import t from 'tap';
import { command } from '../cli/command.ts';
import { startApp } from '../support/app.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startPair } from '../support/system.ts';

t.test('a key past its limit gets 429 and is told when to come back', async (t) => {
  const env = { RATE_LIMIT_KEY_PER_MINUTE: '3', RATE_LIMIT_ADDRESS_PER_MINUTE: '2' };
  const app = await startApp(t, { env });
  const local = await app.call('GET', '/note');
  t.equal(local.headers.ratelimit, undefined, 'without keys nothing is counted');
  const [one, other] = [await app.keyFor('o', 'read'), await app.keyFor('o', 'read')];
  const ask = (headers: Record<string, string>, path = '/note') => app.call('GET', path, { headers });
  const left = [];
  for (const path of ['/note', '/note/none', '/file/none']) {
    const { headers } = await ask(one, path);
    t.equal(headers['ratelimit-policy'], '"key";q=3;w=60', `${path}: also on errors`);
    left.push(/^"key";r=(\d);t=(?:60|59)$/.exec(String(headers.ratelimit))?.[1]);
  }
  t.same(left, ['2', '1', '0']);
  const refused = await ask(one);
  t.equal(refused.status, 429);
  like(t, refused.json(), { code: 'rate_limited' });
  t.ok(Number(refused.headers['retry-after']) > 50);
  t.match(refused.headers.ratelimit, /^"key";r=0;/);
  t.equal((await ask(other)).status, 200, 'another key has its own');
  t.equal((await app.call('POST', '/note', { headers: other, body: {} })).status, 403);
  t.equal((await ask(other)).status, 200, 'what the scope refuses counts too');
  t.equal((await ask(other)).status, 429);

  const bad = { Authorization: 'Bearer nl_guess' };
  t.equal((await ask(bad)).status, 401);
  t.equal((await ask({}, '/nowhere')).status, 404, 'what is refused for want of a path counts');
  t.equal((await ask(bad)).status, 429, 'guesses are counted by address');
  t.equal((await ask({}, '/nowhere')).status, 429);
  t.equal((await app.call('PUT', '/note')).status, 429);
  for (let n = 0; n < 5; n += 1) t.equal((await ask({}, '/health')).status, 200, 'the probes always answer');
});

t.test('public routes have a limit of their own, and whoever has a key counts for that', async (t) => {
  const env = {
    RATE_LIMIT_KEY_PER_MINUTE: '3',
    RATE_LIMIT_ADDRESS_PER_MINUTE: '1',
    RATE_LIMIT_PUBLIC_PER_MINUTE: '2',
  };
  const app = await startApp(t, { env });
  const key = await app.keyFor('o', 'read');
  const ask = async (path: string, headers = {}) => {
    const { status, headers: told } = await app.call('GET', path, { headers });
    return `${status} ${String(told['ratelimit-policy'] ?? 'not counted').split(';')[0]}`;
  };
  t.equal(await ask('/note'), '401 "address"');
  t.equal(await ask('/note'), '429 "address"');
  t.equal(await ask('/page/none'), '404 "public"', 'what needs a key has taken nothing from it');
  const bad = { Authorization: 'Bearer nl_guess' };
  t.equal(await ask('/openapi.json', bad), '200 "public"', 'an invalid key changes no answer');
  t.equal(await ask('/openapi.json'), '429 "public"');
  t.equal(await ask('/openapi.json', bad), '429 "public"');
  t.equal(await ask('/openapi.json', key), '200 "key"', 'a valid one counts for itself');
  t.equal(await ask('/nowhere', key), '404 "key"');
  const { status, headers } = await app.call('PUT', '/note', { headers: key });
  t.same([status, headers['ratelimit-policy']], [405, '"key";q=3;w=60']);
  t.equal(await ask('/openapi.json', key), '429 "key"');
  t.equal(await ask('/health', key), '200 not counted');
  t.equal(await ask('/ready'), '200 not counted');
});

t.test(
  'behind a proxy that is named each client has its own limit; behind another one they share it',
  async (t) => {
    const named = await startApp(t, {
      env: { RATE_LIMIT_PUBLIC_PER_MINUTE: '1', TRUSTED_PROXIES: '127.0.0.1 10.0.0.0/8' },
    });
    await named.keyFor('o', 'read');
    const ask = async (app: typeof named, address: string) =>
      (await app.call('GET', '/docs', { headers: { 'X-Forwarded-For': address } })).status;
    t.equal(await ask(named, '192.0.2.1'), 200);
    t.equal(await ask(named, '192.0.2.1'), 429);
    t.equal(
      await ask(named, '203.0.113.9, 192.0.2.1'),
      429,
      'what the client itself has sent decides nothing',
    );
    t.equal(await ask(named, '192.0.2.2, 10.1.2.3'), 200);
    t.equal(await ask(named, '2001:db8::1'), 200);
    t.equal(await ask(named, '2001:db8::2'), 429, 'the same /64');

    const told: unknown[] = [];
    const other = await startApp(t, {
      env: { RATE_LIMIT_PUBLIC_PER_MINUTE: '2' },
      onUnnamedProxies: (all) => told.push(all),
    });
    await other.keyFor('o', 'read');
    t.same([await ask(other, '192.0.2.1'), await ask(other, '192.0.2.2')], [200, 200]);
    t.equal(await ask(other, '192.0.2.3'), 429);
    t.same(told, [[{ address: '127.0.0.1', isNear: true }]], 'told once');
  },
);

t.test('the limit holds over two workers that each serve a part', async (t) => {
  const quota = 200;
  const system = await startPair(t, { RATE_LIMIT_KEY_PER_MINUTE: String(quota) });
  const made = await command(['keys', 'create', '--name', 'k', '--scope', 'read'], {
    DATA_DIR: system.dataDir,
  });
  const headers = { Authorization: `Bearer ${made.stdout.trim()}` };
  // Connections of their own go to the workers in turn.
  const answers = await Promise.all(
    Array.from({ length: quota + 60 }, () => request(`${system.url}/note`, { headers })),
  );
  const passed = answers.filter(({ status }) => status === 200).length;
  t.same(new Set(answers.map(({ status }) => status)), new Set([200, 429]));
  const unusedMax = quota / (8 * 2);
  t.ok(passed <= quota && passed >= quota - unusedMax, `${passed} of ${quota}, over both workers`);
  const served = new Set(
    system.lines.filter(({ msg, path }) => msg === 'request' && path === '/note').map(({ pid }) => pid),
  );
  t.equal(served.size, 2, 'both workers had a part');
});

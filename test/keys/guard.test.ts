import t from 'tap';
import { callerOf } from '../../src/contract/feature.ts';
import { features } from '../../src/features/features.ts';
import { checkStart } from '../../src/keys/check-start.ts';
import { hashOf, newKeyId, newSecret, tokenOf } from '../../src/keys/token.ts';
import { describeRoutes } from '../../src/worker/openapi/describe.ts';
import { featureOf, startApp } from '../support/app.ts';
import { noteOf, upload } from '../support/http.ts';
import { like } from '../support/like.ts';
import { until } from '../support/system.ts';

const probe = featureOf(({ route }) => {
  route.get('/operator', 'operator', (ctx) => {
    ctx.body = `for ${callerOf(ctx).owner || 'nobody'}`;
  });
  route.get('/admin', 'admin', (ctx) => {
    ctx.body = callerOf(ctx).owner;
  });
});
const withProbe = { features: [...features, probe] };

/** What everybody must be refused, and an answer that tells that it was not. */
const GUARDED = [
  ['POST', '/note'],
  ['GET', '/note'],
  ['GET', '/note/x'],
  ['HEAD', '/note/x'],
  ['DELETE', '/note/x'],
  ['POST', '/file'],
  ['GET', '/file/x'],
  ['GET', '/admin'],
  ['GET', '/operator'],
] as const;

t.test(
  'while there are no keys, this machine may do everything, and who comes through a proxy nothing',
  async (t) => {
    const app = await startApp(t, withProbe);
    t.equal((await app.call('POST', '/note', { body: noteOf('a') })).status, 201);
    for (const name of [
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'Forwarded',
      'X-Real-IP',
      'Via',
      'CF-Connecting-IP',
    ]) {
      for (const [method, path] of GUARDED) {
        const answer = await app.call(method, path, { headers: { [name]: '127.0.0.1' } });
        t.equal(answer.status, 401, `${method} ${path} with ${name}`);
        t.equal(answer.headers['www-authenticate'], 'Bearer realm="ninelives"');
      }
    }
    t.equal((await app.call('GET', '/health', { headers: { Via: '1.1 proxy' } })).status, 200);
    t.equal((await app.call('GET', '/operator')).text, 'for nobody');
  },
);

t.test(
  'a page of another site gets nothing of this machine, whatever a browser here sends for it',
  async (t) => {
    const app = await startApp(t, {
      ...withProbe,
      env: { CORS_ORIGINS: 'https://app.example.org', PUBLIC_URL: 'https://api.example.org' },
    });
    await app.call('POST', '/note', { body: noteOf('a') });
    const touch = async (Origin: string) => {
      // What a browser sends without asking first.
      const headers = { Origin, 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'text/plain' };
      return (await app.call('POST', '/note/a/touch', { headers, body: '' })).status;
    };
    for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null']) {
      t.equal(await touch(origin), 401, origin);
    }
    t.equal((await app.call('GET', '/note/a')).json().version, 1);
    for (const Host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example']) {
      for (const path of ['/note', '/operator']) {
        t.equal((await app.call('GET', path, { headers: { Host } })).status, 401, `${path} of ${Host}`);
      }
    }
    for (const Host of ['localhost', 'LOCALHOST:8080', '127.0.0.2:80', '[::1]:8080']) {
      t.equal((await app.call('GET', '/note', { headers: { Host } })).status, 200, Host);
    }
    // By that name a proxy is called, and whoever calls it.
    const Host = 'api.example.org';
    t.equal((await app.call('GET', '/note', { headers: { Host } })).status, 401, 'the name of PUBLIC_URL');
    const Origin = 'https://evil.example';
    t.equal(
      (await app.call('GET', '/operator', { headers: { Origin } })).status,
      401,
      'also what only reads',
    );
    t.equal(await touch('http://localhost:3000'), 200, 'a page of this machine may');
    t.equal(await touch('https://app.example.org'), 200, 'and one that CORS_ORIGINS names');

    await app.keyFor('someone', 'read');
  },
);

t.test('without keys, what speaks HTTP/1.0 is taken for a proxy, which nginx is', async (t) => {
  const app = await startApp(t, withProbe);
  await app.call('POST', '/note', { body: noteOf('a') });
  const host = `127.0.0.1:${app.port}`;
  const statusOf = async (path: string, head: string) => {
    const answer = await app.raw(`GET ${path} ${head}\r\nConnection: close\r\n\r\n`);
    return answer.slice('HTTP/1.1 '.length).slice(0, 3);
  };
  for (const path of ['/note', '/note/a', '/operator', '/metrics', '/ops/live']) {
    t.equal(await statusOf(path, `HTTP/1.0\r\nHost: ${host}`), '401', path);
    t.equal(await statusOf(path, 'HTTP/1.0'), '401', `${path} without a Host`);
  }
  t.equal(await statusOf('/health', `HTTP/1.0\r\nHost: ${host}`), '200', 'the probes are for anybody');
  t.equal(await statusOf('/operator', `HTTP/1.1\r\nHost: ${host}`), '200');
});

t.test('with the first key, nothing but what is public answers without one', async (t) => {
  const app = await startApp(t, withProbe);
  await app.call('POST', '/note', { body: noteOf('x') });
  await app.keyFor('someone', 'read');
  for (const [method, path] of GUARDED) {
    const answer = await app.call(method, path, { body: method === 'POST' ? noteOf('x') : undefined });
    t.equal(answer.status, 401, `${method} ${path}`);
    t.equal(answer.headers['www-authenticate'], 'Bearer realm="ninelives"');
    if (method !== 'HEAD') like(t, answer.json(), { code: 'unauthorized', status: 401 });
  }
  for (const path of ['/health', '/ready']) t.equal((await app.call('GET', path)).status, 200, path);
  for (const path of ['/operator', '/metrics', '/ops/live'])
    t.equal((await app.call('GET', path)).status, 401, `${path}, on this machine too`);
  const key = await app.keyFor('someone', 'admin');
  t.equal((await app.call('GET', '/operator', { headers: key })).text, 'for someone');
});

t.test('a key for metrics opens those and nothing else, also to a release that knows none', async (t) => {
  const app = await startApp(t, withProbe);
  await app.call('POST', '/note', { body: noteOf('x') });
  const key = await app.keyFor('someone', 'metrics');
  const statusOf = async (method: string, path: string, headers = key) =>
    (await app.call(method, path, { headers, body: method === 'POST' ? noteOf('x') : undefined })).status;
  // There is no primary to tell any.
  t.equal(await statusOf('GET', '/metrics'), 503);
  for (const [method, path] of [...GUARDED, ['GET', '/ops/live'] as const])
    t.equal(await statusOf(method, path), 403, `${method} ${path}`);
  t.same((await app.call('GET', '/ready?verbose', { headers: key })).json(), { ready: true });
  for (const scope of ['read', 'write'] as const) {
    const refused = await app.call('GET', '/metrics', { headers: await app.keyFor('someone', scope) });
    t.same(
      [refused.status, refused.headers['www-authenticate']],
      [403, 'Bearer realm="ninelives", error="insufficient_scope", scope="metrics"'],
    );
  }
  t.equal(await statusOf('GET', '/metrics', await app.keyFor('someone', 'admin')), 503);
  t.same(
    app.writers.get('main')!.prepare("SELECT owner, scope FROM keys WHERE limited_to = 'metrics'").all(),
    [{ owner: ':metrics', scope: 'read' }],
    'a reader of what nobody has',
  );
});

t.test('what is no valid key is refused, and why is told only to who has the secret', async (t) => {
  const app = await startApp(t);
  const key = await app.keyFor('someone', 'admin');
  const token = key.Authorization.slice('Bearer '.length);
  const ask = async (Authorization: string) => {
    const answer = await app.call('GET', '/note', { headers: { Authorization } });
    return `${answer.status} ${answer.json().detail ?? ''}`;
  };
  const [, id = ''] = /^nl_([0-9a-f]{16})_/.exec(token) ?? [];
  t.equal((await ask(`Bearer ${token}`)).slice(0, 3), '200');
  t.equal((await ask(`bearer   ${token}`)).slice(0, 3), '200', 'RFC 9110 11.1: the scheme is in any case');
  for (const wrong of [
    '',
    'Bearer',
    `Basic ${token}`,
    token,
    `Bearer ${token}x`,
    `Bearer ${token} ${token}`,
  ]) {
    t.equal(await ask(wrong), '401 This is no key, or it is not whole', wrong);
  }
  for (const other of [
    { id, secret: newSecret() },
    { id: newKeyId(), secret: newSecret() },
  ]) {
    t.equal(await ask(`Bearer ${tokenOf(other)}`), '401 This key is not known');
  }
  const expired = await app.keyFor('someone', 'admin', Date.now() - 1);
  t.equal(await ask(expired.Authorization), '401 This key has expired');
  app.writers.get('main')!.prepare('UPDATE keys SET revoked_at_ms = 1 WHERE id = ?').run(id);
  t.equal(await ask(key.Authorization), '401 This key is revoked', 'with the very next request');
  t.equal(await ask(`Bearer ${tokenOf({ id, secret: newSecret() })}`), '401 This key is not known');
  t.notMatch(JSON.stringify(app.lines), token, 'no key is in the log');
});

t.test('the secret before a rotation is taken for as long as its grace says', async (t) => {
  const app = await startApp(t);
  const secrets = [newSecret(), newSecret(), newSecret()] as const;
  const id = newKeyId();
  const [first, second, third] = secrets.map((secret) => hashOf(secret));
  const statuses = async () => {
    const answers = secrets.map((secret) =>
      app.call('GET', '/note', { headers: { Authorization: `Bearer ${tokenOf({ id, secret })}` } }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const hex = (hash: Buffer | undefined) => hash?.toString('hex');
  const input = { id, name: 'k', owner: 'o', scope: 'read', expiresAtMs: null };
  await app.write('keys', 'create', { ...input, secretHash: hex(first) });
  t.same(await statuses(), [200, 401, 401]);
  await app.write('keys', 'rotate', { key: 'k', secretHash: hex(second), graceMs: 60_000 });
  t.same(await statuses(), [200, 200, 401]);
  const again = { key: id, secretHash: hex(third), graceMs: 0 };
  await t.rejects(app.write('keys', 'rotate', again), {
    code: 'invalid_request',
    message: /is taken until \d{4}-.*Z, and would end now: .* --force$/,
  });
  t.same(await statuses(), [200, 200, 401], 'the secret that is deployed still works');
  await app.write('keys', 'rotate', { ...again, force: true });
  t.same(await statuses(), [401, 401, 200]);
  await app.write('keys', 'rotate', again);
  t.same(await statuses(), [401, 401, 200], 'one without a grace can follow at once');
  await app.write('keys', 'revoke', { key: 'k' });
  t.same(await statuses(), [401, 401, 401]);
  await t.rejects(app.write('keys', 'rotate', { key: 'k', secretHash: hex(first), graceMs: 0 }), {
    code: 'not_found',
  });
  await app.write('keys', 'create', { ...input, id: newKeyId(), secretHash: hex(first) });
  await t.rejects(app.write('keys', 'create', { ...input, id: newKeyId(), secretHash: hex(second) }), {
    code: 'invalid_request',
  });
});

t.test('an expired key gets no new secret that is dead from the start', async (t) => {
  const app = await startApp(t);
  const id = newKeyId();
  const [first, second] = [newSecret(), newSecret()];
  const hash = (secret: string) => hashOf(secret).toString('hex');
  const nowMs = Date.now();
  const input = { id, name: 'k', owner: 'o', scope: 'read' };
  await app.write('keys', 'create', { ...input, secretHash: hash(first), expiresAtMs: nowMs - 1 });
  const rotation = { key: 'k', secretHash: hash(second), graceMs: 0 };
  for (const force of [false, true]) {
    await t.rejects(app.write('keys', 'rotate', { ...rotation, force }), {
      code: 'invalid_request',
      message: /^The key k expired at .* needs --expires/,
    });
  }
  await app.write('keys', 'rotate', { ...rotation, expiresAtMs: nowMs + 60_000 });
  const headers = { Authorization: `Bearer ${tokenOf({ id, secret: second })}` };
  t.equal((await app.call('GET', '/note', { headers })).status, 200);
});

t.test('a key does what its scope says, and a read key can write nothing', async (t) => {
  const app = await startApp(t, withProbe);
  const keys = {
    read: await app.keyFor('o', 'read'),
    write: await app.keyFor('o', 'write'),
    admin: await app.keyFor('o', 'admin'),
  };
  const file = upload();
  const cases = [
    ['POST', '/note', { body: noteOf('a') }, 'write', 201],
    ['GET', '/note/a', {}, 'read', 200],
    ['GET', '/note', {}, 'read', 200],
    ['DELETE', '/note/a', {}, 'write', 200],
    ['POST', '/file', file, 'write', 201],
    ['GET', '/admin', {}, 'admin', 200],
  ] as const;
  const ranks = ['read', 'write', 'admin'] as const;
  for (const [method, path, options, needed, status] of cases) {
    for (const scope of ranks.slice(0, ranks.indexOf(needed))) {
      const headers = { ...('headers' in options ? options.headers : {}), ...keys[scope] };
      const answer = await app.call(method, path, { ...options, headers });
      t.equal(answer.status, 403, `${method} ${path} with a ${scope} key`);
      like(t, answer.json(), { code: 'forbidden' });
      const challenge = String(answer.headers['www-authenticate']);
      t.ok(challenge.includes(`error="insufficient_scope", scope="${needed}"`), challenge);
    }
    const headers = { ...('headers' in options ? options.headers : {}), ...keys[needed] };
    t.equal((await app.call(method, path, { ...options, headers })).status, status, `${method} ${path}`);
  }
  for (const [method, path] of [
    ['POST', '/note'],
    ['DELETE', '/note/a'],
  ] as const) {
    t.equal((await app.call(method, path, { headers: keys.read, body: noteOf('a') })).status, 403);
  }
  const asOperator = (scope: 'write' | 'admin') => app.call('GET', '/operator', { headers: keys[scope] });
  t.equal((await asOperator('write')).status, 403);
  t.equal((await asOperator('admin')).text, 'for o');
});

t.test('one owner never sees what another has, nor that it is there', async (t) => {
  const app = await startApp(t);
  const made = noteOf('before');
  await app.call('POST', '/note', { body: made });
  const [one, other, none] = [
    await app.keyFor('one', 'admin'),
    await app.keyFor('other', 'admin'),
    await app.keyFor('', 'read'),
  ];
  t.equal((await app.call('POST', '/note', { body: noteOf('x', 'of one'), headers: one })).status, 201);
  const unlike = async (method: string) => {
    const [hidden, missing] = [
      await app.call(method, '/note/x', { headers: other }),
      await app.call(method, '/note/y', { headers: other }),
    ];
    t.equal(hidden.status, 404, method);
    const { request_id: _a, ...told } = hidden.json();
    const { request_id: _b, ...expected } = missing.json();
    t.same(told, expected, `${method} answers as if it were not there`);
  };
  await unlike('GET');
  await unlike('DELETE');
  const second = await app.call('POST', '/note', { body: noteOf('x', 'of other'), headers: other });
  t.equal(second.status, 201, 'for this owner it is new');
  like(t, (await app.call('GET', '/note/x', { headers: one })).json(), { text: 'of one' });
  for (const [key, texts] of [
    [one, ['of one']],
    [other, ['of other']],
    [none, ['Text of before']],
  ] as const) {
    const { items } = (await app.call('GET', '/note', { headers: key })).json() as {
      items: { text: string }[];
    };
    t.same(
      items.map(({ text }) => text),
      texts,
    );
  }
  t.equal((await app.call('DELETE', '/note/x', { headers: other })).status, 200);
  t.equal((await app.call('GET', '/note/x', { headers: one })).status, 200);
  const sibling = await app.keyFor('one', 'read');
  t.equal((await app.call('GET', '/note/x', { headers: sibling })).status, 200, 'keys of one owner share');
});

t.test('the last use of a key is noted in a write of its own', { timeout: 20_000 }, async (t) => {
  const app = await startApp(t);
  const key = await app.keyFor('o', 'read');
  const lastUse = app.writers.get('main')!.prepare('SELECT last_used_at_ms FROM keys').pluck();
  const beforeMs = Date.now();
  for (let n = 0; n < 5; n += 1) await app.call('GET', '/note', { headers: key });
  t.equal(lastUse.get(), null, 'no request waits for it');
  await until(() => lastUse.get() !== null, 'the use is noted');
  t.ok(Number(lastUse.get()) >= beforeMs);
});

t.test(
  'of every route that is described, only what is public answers without a key, and a read key writes none',
  async (t) => {
    const app = await startApp(t, { env: { RATE_LIMIT_ADDRESS_PER_MINUTE: '0' } });
    const reader = await app.keyFor('o', 'read');
    const routes = Object.values(await describeRoutes(features)).flat();
    t.ok(routes.some(({ scope }) => scope === 'write'));
    for (const { method, path, scope } of routes) {
      const target = path.replace(/:\w+/g, 'x');
      const ask = async (key: Record<string, string>) =>
        (await app.call(method.toUpperCase(), target, { headers: key })).status;
      const name = `${method} ${path} (${scope})`;
      if (scope === 'public') t.notMatch(await ask({}), /^(?:401|403)$/, name);
      else t.equal(await ask({}), 401, name);
      if (scope !== 'public' && scope !== 'read') t.equal(await ask(reader), 403, `${name} with a read key`);
      if (method !== 'get' && scope === 'read') t.fail(`${name} changes something with a read key`);
    }
  },
);

t.test(
  'without keys a start is refused that would open the API to others, and with one it is not',
  async (t) => {
    const app = await startApp(t);
    const db = app.writers.get('main')!;
    const own = { HOST: '127.0.0.1', CORS_ORIGINS: ['https://app.example.org'] };
    t.equal(
      checkStart(db, own),
      'There are no keys: put no proxy in front before you have made one: npm run keys -- create --name admin --scope admin',
    );
    const open = [
      { ...own, HOST: '0.0.0.0' },
      { ...own, CORS_ORIGINS: ['*'] },
    ];
    for (const config of open)
      t.throws(() => checkStart(db, config), { code: 'config_invalid' }, JSON.stringify(config));
    await app.keyFor('o', 'read');
    for (const config of [own, ...open]) t.equal(checkStart(db, config), undefined);
  },
);

t.test('without keys what a preflight promises to a page is not refused then', async (t) => {
  const app = await startApp(t, { env: { CORS_ORIGINS: 'https://app.example.org' } });
  for (const Origin of ['https://app.example.org', 'https://evil.example']) {
    const isPromised =
      (await app.call('OPTIONS', '/note', { headers: { Origin, 'Access-Control-Request-Method': 'POST' } }))
        .headers['access-control-allow-methods'] !== undefined;
    const { status } = await app.call('POST', '/note', { headers: { Origin }, body: noteOf('a') });
    t.same([isPromised, status < 300], Origin.includes('evil') ? [false, false] : [true, true], Origin);
  }
});

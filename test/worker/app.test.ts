import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { callerOf, type Guard } from '../../src/contract/feature.ts';
import { Failure } from '../../src/platform/errors.ts';
import { createApp } from '../../src/worker/app.ts';
import { writerMismatch } from '../../src/writer-client/protocol.ts';
import { featureOf, startApp } from '../support/app.ts';
import { like } from '../support/like.ts';

const SECRET = 'secret-of-the-cause';

t.test('health answers that the service is online', async (t) => {
  const app = await startApp(t);
  const answer = await app.call('GET', '/health');
  t.equal(answer.status, 200);
  t.equal(answer.text, '{"service":"online"}');
  t.equal(answer.headers['content-type'], 'application/json');
});

t.test('ready answers 200 while the system is ready and else names what is not', async (t) => {
  let notReady: { name: string; reason: string }[] = [];
  let degraded: { name: string; reason: string }[] = [];
  const app = await startApp(t, { status: () => ({ ready: notReady.length === 0, notReady, degraded }) });
  t.equal((await app.call('GET', '/ready')).text, '{"ready":true}');

  degraded = [{ name: 'worker-1', reason: 'failing again and again' }];
  t.same(
    (await app.call('GET', '/ready')).json(),
    { ready: true, degraded },
    'what still serves stays in service',
  );

  notReady = [{ name: 'writer', reason: 'starting' }];
  const answer = await app.call('GET', '/ready');
  t.equal(answer.status, 503);
  like(t, answer.json(), { code: 'not_ready', errors: [{ field: 'writer', message: 'starting' }] });
  t.equal(answer.headers['retry-after'], '1');
});

t.test('ready?verbose tells of the replication and the drills, ready or not', async (t) => {
  const replication = {
    state: 'streaming',
    reason: undefined,
    lagMs: 7,
    unconfirmedBytes: 8,
    databases: {},
  } as const;
  const result = { ok: false, reason: 'main: rows are missing', durationMs: 1, restoredBytes: 2 };
  const last = {
    ...result,
    ...{ rowsCompared: 3, rowsSkipped: 0, at: new Date(Date.now() - 5000).toISOString(), databases: {} },
  };
  const drill = { isRunning: false, intervalMs: 9, reason: 'failed', last, lastOkAtMs: undefined };
  let ready = true;
  const app = await startApp(t, {
    status: () => ({ ready, notReady: [], degraded: [], replication, drill }),
  });
  const answer = await app.call('GET', '/ready?verbose');
  t.equal(answer.status, 200);
  like(t, answer.json(), {
    ready: true,
    replication: { state: 'streaming', lagMs: 7 },
    drill: { reason: 'failed', last: { ok: false, restoredBytes: 2, rowsCompared: 3 } },
  });
  const { drill: shown } = answer.json() as { drill: { ageMs: number } };
  t.ok(shown.ageMs >= 5000, 'the age of the drill is counted when it is asked for');
  ready = false;
  like(t, await app.call('GET', '/ready?verbose'), { status: 503, headers: { 'retry-after': '1' } });
});

t.test('with keys ready?verbose tells an operator alone, and counts nothing', async (t) => {
  const replication = {
    state: 'streaming',
    reason: undefined,
    lagMs: 7,
    unconfirmedBytes: 8,
    databases: {},
  } as const;
  const app = await startApp(t, {
    status: () => ({ ready: true, notReady: [], degraded: [], replication }),
    env: { RATE_LIMIT_ADDRESS_PER_MINUTE: '1', RATE_LIMIT_KEY_PER_MINUTE: '1' },
  });
  const [writer, admin] = [await app.keyFor('o', 'write'), await app.keyFor('o', 'admin')];
  const bodyOf = async (headers: Record<string, string>) => {
    const answer = await app.call('GET', '/ready?verbose', { headers });
    t.same([answer.status, answer.headers.ratelimit], [200, undefined]);
    return answer.json();
  };
  for (const headers of [{}, {}, { Authorization: 'Bearer nl_guess' }, writer])
    t.same(await bodyOf(headers), { ready: true });
  for (let count = 0; count < 2; count += 1) like(t, await bodyOf(admin), { replication: { lagMs: 7 } });
});

t.test('while overloaded everything but the probes is refused at once', async (t) => {
  let overloaded = true;
  const app = await startApp(t, { overloaded: () => overloaded });
  const refused = await app.call('GET', '/note');
  like(t, refused.json(), { status: 503, code: 'overloaded' });
  t.equal(refused.headers['retry-after'], '1');
  t.equal((await app.call('GET', '/health')).status, 200);
  t.equal((await app.call('GET', '/ready')).status, 200);
  overloaded = false;
  t.equal((await app.call('GET', '/note')).status, 200, 'it recovers by itself');
});

t.test('a path or method without a route', async (t) => {
  const app = await startApp(t);
  const cases: readonly [string, string, number, { code?: string; allow?: string }][] = [
    ['GET', '/nothing', 404, { code: 'not_found' }],
    ['GET', '/nope?x=1', 404, { code: 'not_found' }],
    ['OPTIONS', '/nope', 404, { code: 'not_found' }],
    ['GET', '/note/', 404, { code: 'not_found' }],
    ['GET', '/note/a/b', 404, { code: 'not_found' }],
    ['GET', '//note', 404, { code: 'not_found' }],
    ['PUT', '/note', 405, { code: 'method_not_allowed', allow: 'GET, HEAD, OPTIONS, POST' }],
    ['PATCH', '/note/x', 405, { code: 'method_not_allowed', allow: 'DELETE, GET, HEAD, OPTIONS, PUT' }],
    // Exactly as it is written, so that a rule of a proxy holds for whatever leads there.
    ...[
      ...['/METRICS', '/metrics/', '/Ops', '/ops/', '/ops/live/', '/OPS/live', '/%6detrics', '//metrics'],
      ...['/health/', '/Ready', '/note/', '/note/x/', '/docs/', '/OpenAPI.json'],
    ].map((path): [string, string, number, { code: string }] => ['GET', path, 404, { code: 'not_found' }]),
    ['PROPFIND', '/health', 405, { code: 'method_not_allowed', allow: 'GET, HEAD, OPTIONS' }],
    ['GET', '/file', 405, { code: 'method_not_allowed', allow: 'OPTIONS, POST' }],
    ['OPTIONS', '/note', 204, { allow: 'GET, HEAD, OPTIONS, POST' }],
    ['GET', '/note/%', 400, { code: 'malformed_request' }],
    ['GET', '/%zz', 400, { code: 'malformed_request' }],
    ['GET', '/note/%c3%28', 400, { code: 'malformed_request' }],
    ['DELETE', '/note/%ED%A0%80', 400, { code: 'malformed_request' }],
    ['GET', '/ready?x', 200, {}],
    ['GET', '/note?limit=1', 200, {}],
  ];
  for (const [method, path, status, { code, allow }] of cases) {
    const answer = await app.call(method, path);
    t.equal(answer.status, status, `${method} ${path}`);
    t.equal(answer.headers.allow, allow, `Allow of ${method} ${path}`);
    if (code !== undefined) {
      t.equal(answer.headers['content-type'], 'application/problem+json');
      like(t, answer.json(), { code, status, type: `urn:ninelives:problem:${code}` });
      t.equal(answer.json().request_id, answer.headers['x-request-id']);
    }
    if (status === 204) t.equal(answer.bytes.length, 0);
  }
});

t.test('HEAD answers as GET does, without a body', async (t) => {
  const app = await startApp(t);
  for (const path of ['/health', '/ready', '/note', '/note/none', '/nope']) {
    const [get, head] = [await app.call('GET', path), await app.call('HEAD', path)];
    t.equal(head.status, get.status, path);
    t.equal(head.headers['content-type'], get.headers['content-type'], path);
    if (get.status === 200) t.equal(head.headers['content-length'], String(get.bytes.length), path);
    t.equal(head.bytes.length, 0, path);
  }
});

t.test('the request id is kept when it is well formed and else made', async (t) => {
  const app = await startApp(t);
  const idOf = async (given?: string) =>
    (await app.call('GET', '/health', given === undefined ? {} : { headers: { 'X-Request-Id': given } }))
      .headers['x-request-id'];
  t.equal(await idOf('abc-1.2_3'), 'abc-1.2_3');
  t.equal(await idOf('a'.repeat(64)), 'a'.repeat(64));
  const made = [await idOf(), await idOf(), await idOf('a'.repeat(65)), await idOf('a b'), await idOf('a,b')];
  t.equal(new Set(made).size, made.length);
  // A number in it would tell how much others ask.
  for (const id of made) t.match(id, /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/);
});

t.test('every answer asks to close the connection while draining', async (t) => {
  let draining = false;
  const app = await startApp(t, { draining: () => draining });
  t.not(
    (await app.call('GET', '/health', { headers: { Connection: 'keep-alive' } })).headers.connection,
    'close',
  );
  draining = true;
  for (const path of ['/health', '/nope', '/note/%', '/note']) {
    const answer = await app.call('GET', path, { headers: { Connection: 'keep-alive' } });
    t.equal(answer.headers.connection, 'close', path);
  }
});

t.test('draining that begins while a handler works still marks its answer', async (t) => {
  let draining = false;
  const feature = featureOf(({ route }) => {
    route.get('/late', 'public', async (ctx) => {
      draining = true;
      ctx.body = 'ok';
    });
  });
  const app = await startApp(t, { features: [feature], draining: () => draining });
  t.equal(
    (await app.call('GET', '/late', { headers: { Connection: 'keep-alive' } })).headers.connection,
    'close',
  );
});

t.test('what a handler throws becomes a problem that tells nothing of its cause', async (t) => {
  const thrown: Record<string, unknown> = {
    error: new TypeError(SECRET),
    string: SECRET,
    nothing: undefined,
    exposed: Object.assign(new Error(SECRET), { status: 418, expose: true, headers: { 'X-Leak': SECRET } }),
    damaged: Object.assign(new Error(SECRET), { code: 'SQLITE_CORRUPT_VTAB' }),
    busy: new Failure('writer_busy', 'Try later', {
      retryAfterSeconds: 1.5,
      cause: new Error(SECRET),
      headers: { 'X-Extra': 'yes' },
    }),
    mismatch: writerMismatch(),
  };
  const feature = featureOf(({ route }) => {
    route.get('/throw/:name', 'public', (ctx) => {
      ctx.set({ ETag: '"x"', 'Cache-Control': 'public' });
      throw thrown[ctx.params.name!];
    });
  });
  const app = await startApp(t, { features: [feature] });
  const cases: readonly [string, number, string][] = [
    ['error', 500, 'internal'],
    ['string', 500, 'internal'],
    ['nothing', 500, 'internal'],
    ['exposed', 500, 'internal'],
    ['damaged', 500, 'storage_corrupt'],
    ['busy', 503, 'writer_busy'],
    ['mismatch', 503, 'writer_mismatch'],
  ];
  for (const [name, status, code] of cases) {
    const answer = await app.call('GET', `/throw/${name}`);
    t.equal(answer.status, status, name);
    t.same(Object.keys(answer.json()), ['type', 'title', 'status', 'detail', 'code', 'request_id'], name);
    t.equal(answer.json().code, code, name);
    t.notMatch(answer.text + JSON.stringify(answer.headers), SECRET, name);
    t.notMatch(answer.text, 'at ', `${name}: no stack`);
    t.equal(answer.headers.etag, undefined, `${name}: no header of the answer that failed`);
    t.equal(answer.headers['cache-control'], 'no-store', `${name}: an error's own`);
    if (name === 'busy') {
      t.equal(answer.headers['retry-after'], '2', 'in whole seconds, rounded up');
      t.equal(answer.headers['x-extra'], 'yes');
    }
    if (name === 'mismatch') t.equal(answer.headers['retry-after'], '1');
    const id = answer.headers['x-request-id'] as string;
    await app.logged({ requestId: id, msg: 'request', code });
    const failures = app.lines.filter((line) => line.requestId === id && line.err !== undefined);
    t.equal(
      failures.length,
      name === 'string' || name === 'nothing' ? failures.length : Number(status === 500),
      `${name}: a fault of ours is logged once, with its stack`,
    );
    if (name === 'error') like(t, failures[0], { level: 'error', err: { stack: /app\.test\.ts/ } });
  }
});

t.test('a failure after the headers cuts the answer and leaves the process alive', async (t) => {
  const feature = featureOf(({ route }) => {
    route.get('/half', 'public', (ctx) => {
      ctx.res.writeHead(200, { 'Content-Length': '10' });
      ctx.res.write('half');
      throw new Error('too late');
    });
    route.get('/stream', 'public', (ctx) => {
      ctx.body = Readable.from(
        (async function* () {
          yield 'half';
          throw new Error('broken stream');
        })(),
      );
    });
  });
  const app = await startApp(t, { features: [feature] });
  await t.rejects(app.call('GET', '/half'), { code: 'ECONNRESET' });
  await app.logged({ level: 'error', msg: 'request failed' });
  await t.rejects(app.call('GET', '/stream'), { code: 'ECONNRESET' });
  await app.logged({ level: 'error', msg: 'response failed' });
  t.equal((await app.call('GET', '/health')).status, 200);
});

t.test('one line a request tells the route and never what is private', async (t) => {
  const app = await startApp(t);
  await app.call('POST', '/note?who=jane%40example.com', {
    headers: { 'X-Request-Id': 'posted' },
    body: { id: 'a/b', email: 'joe@example.com', title: 'private title' },
  });
  await app.call('GET', '/note/jane@example.com?x=1', { headers: { 'X-Request-Id': 'got' } });
  like(t, await app.logged({ requestId: 'posted' }), {
    level: 'info',
    method: 'POST',
    route: '/note',
    path: '/note',
    status: 422,
    durationMs: Number,
    bytes: Number,
  });
  like(t, await app.logged({ requestId: 'got' }), {
    route: '/note/:id',
    path: '/note/[redacted]',
    status: 422,
  });
  t.equal(app.lines.filter((line) => line.msg === 'request').length, 2);
  t.notMatch(JSON.stringify(app.lines), /example\.com|private title/);
});

t.test('a client that goes away before the answer is logged as such', async (t) => {
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const feature = featureOf(({ route }) => {
    route.get('/slow', 'public', async (ctx) => {
      entered.resolve();
      await gate.promise;
      ctx.body = 'nobody hears it';
    });
  });
  const app = await startApp(t, { features: [feature] });
  const socket = connect(app.port, '127.0.0.1');
  socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await entered.promise;
  // By a reset: one that ends its side alone may still wait for the answer.
  socket.resetAndDestroy();
  const line = await app.logged({ aborted: true });
  like(t, line, { level: 'info', msg: 'client went away before the answer', method: 'GET', path: '/slow' });
  t.equal(line.status, undefined, 'nobody has seen a status');
  gate.resolve();
  t.equal((await app.call('GET', '/health')).status, 200);
});

t.test(
  'the guard decides before any route, with the scope and the rate class that the route asks for',
  async (t) => {
    const asked: string[] = [];
    const guard: Guard = (ctx, access) => {
      asked.push(`${ctx.method} ${ctx.path} ${access?.scope} ${access?.rate}`);
      if (ctx.get('X-Test') === 'throws') throw new Failure('not_found', 'refused at once');
      if (ctx.get('X-Test') === 'rejects') return Promise.reject(new Failure('not_found', 'refused later'));
      ctx.state.caller = { owner: ctx.get('X-Owner') };
      return ctx.get('X-Test') === 'waits' ? nextTurn() : undefined;
    };
    let handled = 0;
    const feature = featureOf(({ route }) => {
      route.get('/probe', 'read', (ctx) => {
        handled += 1;
        ctx.body = callerOf(ctx).owner;
      });
      route.patch('/probe', 'admin', (ctx) => {
        ctx.body = 'patched';
      });
    });
    const app = await startApp(t, { features: [{ ...feature, guard: async () => () => guard }] });
    const ask = (test: string) =>
      app.call('GET', '/probe', { headers: { 'X-Test': test, 'X-Owner': 'someone' } });
    like(t, (await ask('throws')).json(), { status: 404, detail: 'refused at once' });
    like(t, (await ask('rejects')).json(), { status: 404, detail: 'refused later' });
    t.equal(handled, 0, 'a refused request does not reach its route');
    t.equal((await ask('waits')).text, 'someone');
    t.equal((await ask('')).text, 'someone');
    await app.call('PATCH', '/probe');
    await app.call('GET', '/health');
    t.same(
      asked.slice(-3),
      ['GET /probe read caller', 'PATCH /probe admin caller', 'GET /health public none'],
      'no route goes without',
    );
  },
);

t.test('an app that could not serve is not assembled', async (t) => {
  const missing = createApp({
    about: { title: 'test', description: 'A test.' },
    features: [featureOf(() => {})],
    databases: new Map(),
  } as never);
  await t.rejects(missing, { code: 'internal', message: /main/ });
});

t.test('a pipelined request behind a failing one is answered too', async (t) => {
  const app = await startApp(t);
  const text = await app.raw(
    'GET /note/% HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  );
  t.match(text, /^HTTP\/1\.1 400 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*\{"service":"online"\}$/);
});

t.test('nothing of a request makes the process throw', async (t) => {
  const app = await startApp(t);
  const uncaught: unknown[] = [];
  const hear = (error: unknown) => uncaught.push(error);
  process.on('uncaughtExceptionMonitor', hear);
  t.teardown(() => process.off('uncaughtExceptionMonitor', hear));
  for (const target of ['http://[::1/x', 'http://x', '*', '/?', '/#', '/\\..\\', 'http://x/health']) {
    const text = await app.raw(`OPTIONS ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    t.match(text, /^HTTP\/1\.1 (?:204|400|404) /, target);
  }
  t.same(uncaught, []);
  const socket = connect(app.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  t.equal((await app.call('GET', '/health')).status, 200);
});

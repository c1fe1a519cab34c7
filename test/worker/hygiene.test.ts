import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { featureOf, startApp, type TestApp } from '../support/app.ts';
import { noteOf } from '../support/http.ts';
import { like } from '../support/like.ts';

const OF_JSON = {
  'content-security-policy': "frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};
const OF_OTHERS_ONLY = {
  'cross-origin-opener-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'DENY',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};
/** What JSON lacks, and whatever else must not be there. */
const NONE = Object.fromEntries(Object.keys(OF_OTHERS_ONLY).map((name) => [name, undefined]));

t.test(
  'JSON has the security headers that mean something there, an error too, and a page all and its own policy',
  async (t) => {
    const feature = featureOf(({ route }) => {
      const policy = (ctx: { set: (name: string, value: string) => void }) =>
        ctx.set('Content-Security-Policy', "default-src 'self'");
      route.get('/page', 'public', (ctx) => {
        policy(ctx);
        ctx.body = 'page';
      });
      route.get('/plain', 'public', (ctx) => {
        ctx.body = 'text';
      });
      route.get('/broken', 'public', (ctx) => {
        policy(ctx);
        throw new Error('broken');
      });
    });
    const app = await startApp(t, { features: [feature] });
    for (const [method, path] of [
      ['GET', '/health'],
      ['HEAD', '/health'],
      ['OPTIONS', '/health'],
      ['GET', '/nope'],
      ['PUT', '/health'],
      ['GET', '/%'],
      ['GET', '/broken'],
    ] as const) {
      const { headers } = await app.call(method, path);
      like(t, headers, { ...OF_JSON, ...NONE }, `${method} ${path}`);
      t.equal(headers['strict-transport-security'], undefined, 'nobody says that clients come by HTTPS');
      t.equal(headers['access-control-allow-origin'], undefined);
      t.equal(headers['x-powered-by'], undefined);
    }
    like(t, (await app.call('GET', '/page')).headers, {
      ...OF_JSON,
      ...OF_OTHERS_ONLY,
      'content-security-policy': "default-src 'self'",
    });
    const text = (await app.raw('nonsense\r\n\r\n')).toLowerCase();
    for (const [name, value] of Object.entries({ ...OF_JSON, 'cache-control': 'no-store' }))
      t.ok(text.includes(`${name}: ${value.toLowerCase()}\r\n`), text);
    like(t, (await app.call('GET', '/plain')).headers, {
      ...OF_JSON,
      ...OF_OTHERS_ONLY,
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    const https = await startApp(t, { env: { PUBLIC_URL: 'https://api.example.org' } });
    const hstsOf = async (app: TestApp) =>
      (await app.call('GET', '/health')).headers['strict-transport-security'];
    t.equal(await hstsOf(https), 'max-age=31536000', 'nothing of the domains below');
    for (const [HSTS_MAX_AGE_SECONDS, expected] of [
      ['60', 'max-age=60'],
      ['0', undefined],
    ] as const) {
      const env = { PUBLIC_URL: 'https://api.example.org', HSTS_MAX_AGE_SECONDS };
      t.equal(await hstsOf(await startApp(t, { env })), expected);
    }
  },
);

t.test(
  'JSON with a tag is kept by its client alone, and asked for again; other JSON by nobody',
  async (t) => {
    const feature = featureOf(({ route }) => {
      route.get('/tagged', 'public', (ctx) => {
        ctx.set('ETag', '"x"');
        ctx.status = 200;
        if (ctx.fresh) ctx.status = 304;
        else ctx.body = { a: 1 };
      });
      route.get('/untagged', 'public', (ctx) => {
        ctx.body = { a: 1 };
      });
      route.get('/own', 'public', (ctx) => {
        ctx.set('Cache-Control', 'max-age=5');
        ctx.body = { a: 1 };
      });
    });
    const app = await startApp(t, { features: [feature] });
    const kept = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await app.call('GET', path, { headers });
      return [answer.status, answer.headers['cache-control']];
    };
    t.strictSame(await kept('/tagged'), [200, 'private, no-cache']);
    t.strictSame(await kept('/tagged', { 'if-none-match': '"x"' }), [304, 'private, no-cache']);
    t.strictSame(await kept('/untagged'), [200, 'no-store']);
    t.strictSame(await kept('/own'), [200, 'max-age=5']);
    t.strictSame(await kept('/nope'), [404, 'no-store']);
  },
);

t.test('without CORS_ORIGINS no page of another origin gets anything', async (t) => {
  const app = await startApp(t);
  const headers = { Origin: 'https://example.org', 'Access-Control-Request-Method': 'POST' };
  const answer = await app.call('OPTIONS', '/note', { headers });
  t.equal(answer.status, 204);
  t.notOk(Object.keys(answer.headers).some((name) => name.startsWith('access-control')));
});

t.test('pages of the origins that are named may call, and read errors too', async (t) => {
  const app = await startApp(t, { env: { CORS_ORIGINS: 'https://a.example, http://localhost:3000' } });
  const ask = (method: string, path: string, Origin: string, more = {}) =>
    app.call(method, path, { headers: { Origin, ...more } });
  for (const origin of ['https://a.example', 'http://localhost:3000']) {
    const preflight = await ask('OPTIONS', '/note', origin, {
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type',
    });
    t.equal(preflight.status, 204);
    like(t, preflight.headers, {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, HEAD, OPTIONS, POST',
      'access-control-allow-headers': /Authorization, Content-Type.*Idempotency-Key/,
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    for (const path of ['/note', '/note/none']) {
      const { headers } = await ask('GET', path, origin);
      like(t, headers, { 'access-control-allow-origin': origin, vary: 'Origin' }, path);
      t.match(headers['access-control-expose-headers'], /X-Request-Id/);
      t.equal(headers['access-control-allow-credentials'], undefined);
    }
  }
  for (const origin of [
    'https://a.example.evil.example',
    'http://a.example',
    'null',
    'https://a.example:444',
  ]) {
    const { headers } = await ask('OPTIONS', '/note', origin, { 'Access-Control-Request-Method': 'POST' });
    t.equal(headers['access-control-allow-origin'], undefined, origin);
    t.equal(headers['access-control-allow-methods'], undefined, origin);
    t.equal(headers.vary, 'Origin');
  }
  const open = await startApp(t, { env: { CORS_ORIGINS: '*' } });
  const { headers } = await open.call('GET', '/note', { headers: { Origin: 'https://any.example' } });
  like(t, headers, { 'access-control-allow-origin': '*' });
});

t.test('CORS_ORIGINS takes origins and nothing that only looks like one', async (t) => {
  const load = (CORS_ORIGINS: string) => loadConfig({ CORS_ORIGINS }, '/tmp').config.CORS_ORIGINS;
  t.same(load(''), []);
  t.same(load('https://a.example,http://b.example:81'), ['https://a.example', 'http://b.example:81']);
  for (const wrong of [
    'a.example',
    'https://a.example/',
    'https://A.example',
    '*, https://a.example',
    'null',
  ])
    t.throws(() => load(wrong), { code: 'config_invalid' }, wrong);
});

t.test('JSON over 1 KiB is compressed for who takes it, and nothing else is', async (t) => {
  const app = await startApp(t);
  for (let n = 0; n < 20; n += 1) await app.call('POST', '/note', { body: noteOf(`note-${n}`) });
  const plain = await app.call('GET', '/note');
  t.ok(plain.bytes.length > 1024);
  t.equal(plain.headers['content-encoding'], undefined);
  t.equal(plain.headers.vary, 'Accept-Encoding', 'caches must know, also of this one');
  const ask = (encodings: string, method = 'GET', path = '/note') =>
    app.raw(
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: ${encodings}\r\n\r\n`,
    );
  const cases = [
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0, br;q=0', undefined],
    ['identity', undefined],
    ['zstd', undefined],
  ] as const;
  for (const [asked, expected] of cases) {
    const [head = '', ...rest] = (await ask(asked)).split('\r\n\r\n');
    const body = Buffer.from(rest.join('\r\n\r\n'), 'latin1');
    t.equal(/content-encoding: (\w+)/i.exec(head)?.[1], expected, asked);
    t.equal(Number(/content-length: (\d+)/i.exec(head)?.[1]), body.length, asked);
    const text =
      expected === 'br' ? brotliDecompressSync(body) : expected === 'gzip' ? gunzipSync(body) : body;
    t.equal(text.toString(), plain.text, asked);
    if (expected) t.ok(body.length < plain.bytes.length / 3);
    const headers = (answer: string) => answer.replace(/x-request-id: \S+|date: [^\r]+/gi, '');
    t.equal(
      headers(await ask(asked, 'HEAD')),
      headers(`${head}\r\n\r\n`),
      `HEAD: the same headers, ${asked}`,
    );
  }
  t.notMatch(await ask('gzip', 'GET', '/note?limit=1'), /content-encoding|vary/i, 'a small one');
});

t.test('an answer with a strong ETag stays as it is, and one with a weak one is still known', async (t) => {
  const long = JSON.stringify('x'.repeat(2000));
  const feature = featureOf(({ route }) => {
    for (const [path, etag] of [
      ['/strong', '"a"'],
      ['/weak', 'W/"a"'],
    ] as const) {
      route.get(path, 'public', (ctx) => {
        ctx.status = 200;
        ctx.set({ ETag: etag, 'Content-Type': 'application/json' });
        if (ctx.fresh) ctx.status = 304;
        else ctx.body = long;
      });
    }
  });
  const app = await startApp(t, { features: [feature] });
  const ask = (path: string, more = {}) =>
    app.call('GET', path, { headers: { 'Accept-Encoding': 'gzip', ...more } });
  like(t, await ask('/strong'), { text: long, headers: { etag: '"a"', 'content-encoding': undefined } });
  const weak = await ask('/weak');
  like(t, weak.headers, { etag: 'W/"a"', 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  t.equal(gunzipSync(weak.bytes).toString(), long);
  t.equal((await ask('/weak', { 'If-None-Match': 'W/"a"' })).status, 304);
  const document = await ask('/openapi.json');
  t.equal(document.headers['content-encoding'], 'gzip');
  t.equal((await ask('/openapi.json', { 'If-None-Match': document.headers.etag })).status, 304);
});

t.test('a URL or headers that are too long are told so', async (t) => {
  const app = await startApp(t);
  const ask = (target: string, header = '') =>
    app.raw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n`);
  const longest = `/health?${'a'.repeat(8192 - '/health?'.length)}`;
  t.equal(longest.length, 8192);
  t.match(await ask(longest), /^HTTP\/1\.1 200 /);
  for (const target of [`${longest}a`, `/${'a'.repeat(20_000)}`]) {
    t.match(
      await ask(target),
      /^HTTP\/1\.1 414 [\s\S]*application\/problem\+json[\s\S]*"code":"uri_too_long"/,
    );
  }
  t.match(
    await ask('/health', `X-A: ${'a'.repeat(20_000)}\r\n`),
    /^HTTP\/1\.1 431 [\s\S]*application\/problem\+json[\s\S]*"code":"headers_too_large"/,
  );
  t.match(await ask('/health', `X-A: ${'a'.repeat(10_000)}\r\n`), /^HTTP\/1\.1 200 /);
});

import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { readBody } from '../../src/worker/middleware/body.ts';
import { readJson, sendJson } from '../../src/worker/middleware/json.ts';
import { featureOf, startApp } from '../support/app.ts';

const LIMIT_BYTES = 64 * 1024;

/** An app that gives back what it read: `/echo` JSON, `/bytes` at most 100 bytes within 50 ms. */
async function startEcho(t: Parameters<typeof startApp>[0]) {
  const seen: unknown[] = [];
  const late = Promise.withResolvers<unknown>();
  const feature = featureOf(({ route }) => {
    route.post('/echo', 'public', async (ctx) => {
      const value = await readJson(ctx);
      seen.push(value);
      sendJson(ctx, 200, value);
    });
    route.post('/bytes', 'public', async (ctx) => {
      ctx.body = await readBody(ctx.req, { limitBytes: 100, timeoutMs: 50 });
    });
    route.post('/late', 'public', async (ctx) => {
      await new Promise((resolve) => ctx.req.once('close', resolve));
      late.resolve(await readBody(ctx.req, { limitBytes: 100 }).catch((error: Error) => error.message));
    });
  });
  return { ...(await startApp(t, { features: [feature] })), seen, late: late.promise };
}

t.test('a JSON body', async (t) => {
  const app = await startEcho(t);
  const json = 'application/json';
  const fits = JSON.stringify('x'.repeat(LIMIT_BYTES - 2));
  const cases: readonly [string, Record<string, string>, string | Buffer, number, string | undefined][] = [
    ['an object', { 'Content-Type': json }, '{"a":[1,null,"ü"]}', 200, undefined],
    ['white space around it', { 'Content-Type': json }, ' \r\n[] ', 200, undefined],
    ['a charset', { 'Content-Type': 'Application/JSON ; charset="UTF-8"' }, '1', 200, undefined],
    ['a suffix', { 'Content-Type': 'application/vnd.a.b+json' }, 'null', 200, undefined],
    ['identity', { 'Content-Type': json, 'Content-Encoding': 'Identity' }, '1', 200, undefined],
    ['exactly the limit', { 'Content-Type': json }, fits, 200, undefined],
    ['one byte more', { 'Content-Type': json }, `${fits} `, 413, 'too_large'],
    [
      'one byte more, chunked',
      { 'Content-Type': json, 'Transfer-Encoding': 'chunked' },
      `${fits} `,
      413,
      'too_large',
    ],
    ['much more', { 'Content-Type': json }, Buffer.alloc(8 * 1024 * 1024, 32), 413, 'too_large'],
    ['no type', {}, '{}', 415, 'unsupported_media_type'],
    ['text', { 'Content-Type': 'text/plain' }, '{}', 415, 'unsupported_media_type'],
    ['almost JSON', { 'Content-Type': 'application/jsonx' }, '{}', 415, 'unsupported_media_type'],
    ['almost a suffix', { 'Content-Type': 'text/x+json' }, '{}', 415, 'unsupported_media_type'],
    ['UTF-16', { 'Content-Type': 'application/json; charset=utf-16' }, '{}', 415, 'unsupported_media_type'],
    ['gzip', { 'Content-Type': json, 'Content-Encoding': 'gzip' }, '{}', 415, 'unsupported_media_type'],
    ['empty', { 'Content-Type': json }, '', 400, 'malformed_json'],
    ['cut', { 'Content-Type': json }, '{"a":', 400, 'malformed_json'],
    ['two values', { 'Content-Type': json }, '{}{}', 400, 'malformed_json'],
    ['a byte order mark', { 'Content-Type': json }, '\ufeff{}', 400, 'malformed_json'],
    ['Latin-1', { 'Content-Type': json }, Buffer.from('"\xfc"', 'latin1'), 400, 'malformed_json'],
    ['deep', { 'Content-Type': json }, '['.repeat(60_000), 400, 'malformed_json'],
  ];
  for (const [name, headers, body, status, code] of cases) {
    const answer = await app.call('POST', '/echo', { headers, body });
    t.equal(answer.status, status, name);
    if (code === undefined) t.equal(answer.text, JSON.stringify(JSON.parse(String(body))), name);
    else t.equal(answer.json().code, code, name);
    t.notMatch(answer.text, /Unexpected|position \d/, `${name}: nothing of the parser's own words`);
  }
  t.equal(app.seen.length, 6, 'no refused body has reached the handler');
});

t.test('a 415 says what would do', async (t) => {
  const app = await startEcho(t);
  const typed = await app.call('POST', '/echo', { body: '{}' });
  t.equal(typed.headers.accept, 'application/json');
  const encoded = await app.call('POST', '/echo', {
    body: '{}',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'br' },
  });
  t.equal(encoded.headers['accept-encoding'], 'identity');
});

t.test('a __proto__ in a body is a member like any other', async (t) => {
  const app = await startEcho(t);
  await app.call('POST', '/echo', {
    body: '{"__proto__":{"x":1}}',
    headers: { 'Content-Type': 'application/json' },
  });
  t.equal(({} as { x?: number }).x, undefined);
  t.equal((app.seen[0] as { x?: number }).x, undefined);
});

t.test('an answer that ends the connection waits for a body that nobody reads', async (t) => {
  const app = await startEcho(t);
  // The harness asks for no keep-alive, so that each of these connections ends with its answer.
  const cases: readonly [string, string, number][] = [
    ['POST', '/echo', 415],
    ['POST', '/nope', 404],
    ['PUT', '/echo', 405],
    ['POST', '/bytes', 413],
  ];
  for (const [method, path, status] of cases) {
    const answer = await app.call(method, path, { body: Buffer.alloc(6 * 1024 * 1024) });
    t.equal(answer.status, status, `${method} ${path}`);
    t.equal(answer.headers.connection, 'close');
  }
});

t.test('the connection still serves after a body that was refused', async (t) => {
  const app = await startEcho(t);
  const big = ' '.repeat(3 * LIMIT_BYTES);
  const text = await app.raw(
    `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${big.length}\r\n\r\n${big}` +
      'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  );
  t.match(text, /^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 OK/);
});

t.test('a body that comes byte by byte is put together', async (t) => {
  const app = await startEcho(t);
  const socket = connect(app.port, '127.0.0.1').setNoDelay(true);
  socket.write(
    'POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n',
  );
  socket.write('Transfer-Encoding: chunked\r\n\r\n');
  for (const byte of '{"a":1}') socket.write(`1\r\n${byte}\r\n`);
  socket.write('0\r\n\r\n');
  t.match(String(Buffer.concat(await socket.toArray())), /^HTTP\/1\.1 200 [\s\S]*\{"a":1\}$/);
});

t.test('a client that stops half-way is no failure of ours', async (t) => {
  const app = await startEcho(t);
  const head =
    'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a"';
  const halfClosed = await app.raw(head, { half: true });
  t.notMatch(halfClosed, / 5\d\d /);
  await app.logged({ aborted: true, path: '/echo' });

  const socket = connect(app.port, '127.0.0.1');
  socket.write(head.replace('/echo', '/late'));
  await once(socket, 'connect');
  await new Promise<void>((resolve) => socket.write('1', () => resolve()));
  socket.resetAndDestroy();
  await app.logged({ path: '/late' });
  t.equal(await app.late, 'The body ended before it was whole', 'nor one that is asked for too late');
  t.same(app.seen, []);
  t.notMatch(JSON.stringify(app.lines), /"level":"(?:error|warn)"/);
});

t.test('a body that takes too long is refused and its connection closed', async (t) => {
  const app = await startEcho(t);
  const text = await app.raw('POST /bytes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf');
  t.match(text, /^HTTP\/1\.1 408 [\s\S]*Connection: close[\s\S]*"code":"request_timeout"/);
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { featureOf, startApp } from '../support/app.ts';
import { noteOf } from '../support/http.ts';
import { start } from '../support/system.ts';

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns the one answer that `text` is; throws when it is none */
function parsed(text: string): RawAnswer {
  const found = /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(text);
  if (!found) throw new Error(`no answer: ${JSON.stringify(text)}`);
  const [, status, head = '', body = ''] = found;
  const headers = head.split('\r\n').map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { status: Number(status), headers: Object.fromEntries(headers), body };
}

const GET = 'GET /health HTTP/1.1\r\n';
const POST = 'POST /note HTTP/1.1\r\nHost: localhost\r\n';

t.test('what no route can be asked gets a problem with a logged id, and a closed connection', async (t) => {
  const app = await startApp(t);
  const bad = [400, 'malformed_request'] as const;
  const cases: readonly (readonly [string, string | Buffer, readonly [number, string]])[] = [
    ['garbage', 'hello\r\n\r\n', bad],
    ['binary', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), bad],
    ['a bad Content-Length', `${POST}Content-Length: ten\r\n\r\n`, bad],
    ['a negative Content-Length', `${POST}Content-Length: -1\r\n\r\n`, bad],
    ['two Content-Lengths', `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, bad],
    [
      'a length and chunks, as smugglers send',
      `${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      bad,
    ],
    ['a bad chunk', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, bad],
    [
      'too large extensions of a chunk',
      `${POST}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n`,
      [413, 'too_large'],
    ],
    ['a Transfer-Encoding that is unknown', `${POST}Transfer-Encoding: gzip\r\n\r\n`, bad],
    ['one beside chunks', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, bad],
    [
      'chunks of HTTP/1.0',
      'POST /note HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      bad,
    ],
    ['a control character in a header', `${GET}Host: localhost\r\nX-A: \u0001\r\n\r\n`, bad],
    [
      'huge headers',
      `${GET}Host: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      [431, 'headers_too_large'],
    ],
    ['a huge URL', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, [414, 'uri_too_long']],
    ['an unknown method', 'BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n', bad],
    ['CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n', bad],
    ['a version that is none', 'GET /health HTTP/3.7\r\nHost: localhost\r\n\r\n', bad],
    ['an old version', 'GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n', bad],
    ['a version that comes otherwise', 'GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n', bad],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', bad],
    ['no Host', `${GET}\r\n`, bad],
    ['two Hosts', `${GET}Host: localhost\r\nHost: localhost\r\n\r\n`, bad],
    ['two Hosts, one of them empty', `${GET}HOST:\r\nX-A: 1\r\nhost: localhost\r\n\r\n`, bad],
    ['a Host that is none', `${GET}Host: local host\r\n\r\n`, bad],
    ['two hosts in one', `${GET}Host: a, b@c\r\n\r\n`, bad],
    ['an expectation', `${POST}Expect: the-best\r\nContent-Length: 0\r\n\r\n`, [417, 'expectation_failed']],
    [
      'one beside that of 100-continue',
      `${POST}Expect: 100-continue, more\r\nContent-Length: 0\r\n\r\n`,
      [417, 'expectation_failed'],
    ],
  ];
  for (const [name, bytes, [status, code]] of cases) {
    const answer = parsed(await app.raw(bytes));
    t.equal(answer.status, status, name);
    t.equal(answer.headers['content-type'], 'application/problem+json', name);
    t.equal(answer.headers.connection, 'close', name);
    t.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.body), name);
    const problem = JSON.parse(answer.body);
    t.equal(problem.code, code, name);
    t.equal(problem.status, status, name);
    t.notMatch(answer.body, /HPE_|Parse Error/, name);
    const id = answer.headers['x-request-id'];
    t.type(id, 'string', name);
    t.equal(problem.request_id, id, name);
    const line = await app.logged({ requestId: id });
    t.equal(line.status, status, name);
    t.equal(line.code, code, name);
  }
  t.equal((await app.call('GET', '/health')).status, 200);
});

/** A client of a route whose answer begins with what is written to `begun`, and of one that gives none. Neither ends. */
async function clientOfBegun(t: Test) {
  const begun = new PassThrough();
  const feature = featureOf(({ route }) => {
    route.get('/begun', 'public', (ctx) => {
      ctx.body = begun;
    });
    route.get('/waits', 'public', () => new Promise<void>(() => {}));
  });
  const app = await startApp(t, { features: [feature] });
  return { begun, socket: connect(app.port, '127.0.0.1') };
}

/** Sends bytes that are no request when an answer has begun. @returns all that comes from then on, until the end */
async function spoilt(socket: Socket): Promise<string> {
  const [first] = await once(socket, 'data');
  let text = String(first);
  socket.on('data', (chunk) => (text += chunk));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.write('garbage\r\n\r\n');
  await closed;
  return text;
}

t.test('nothing is written into an answer that has begun', async (t) => {
  const { begun, socket } = await clientOfBegun(t);
  socket.write('GET /begun HTTP/1.1\r\nHost: localhost\r\n\r\n');
  begun.write('the begin');
  const text = await spoilt(socket);
  t.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, text);
});

t.test('nothing is written into the first of several answers either, nor in front of it', async (t) => {
  const { begun, socket } = await clientOfBegun(t);
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  socket.write(
    'GET /begun HTTP/1.1\r\nHost: localhost\r\n\r\nGET /waits HTTP/1.1\r\nHost: localhost\r\n\r\n',
  );
  begun.write('the begin');
  const text = await spoilt(socket);
  t.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, text);
});

t.test('behind an answer that has ended a problem is written', async (t) => {
  const { socket } = await clientOfBegun(t);
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const statuses = (await spoilt(socket)).match(/HTTP\/1\.1 \d+/g);
  t.strictSame(statuses, ['HTTP/1.1 200', 'HTTP/1.1 400']);
});

t.test('a request that does not arrive in time gets a problem with an id', async (t) => {
  const app = await startApp(t);
  app.server.headersTimeout = 1;
  const answer = parsed(await app.raw(`${GET}Host: localhost\r\n`));
  t.equal(answer.status, 408);
  t.equal(JSON.parse(answer.body).request_id, answer.headers['x-request-id']);
});

t.test('Hosts as they may be are served', async (t) => {
  const app = await startApp(t);
  for (const head of [
    '1.1\r\nHost:',
    '1.1\r\nHost: [::1]:80',
    '1.1\r\nHost: A.example:',
    '1.1\r\nHost: xn--p1ai:8080',
    '1.0\r\nX-A: 1',
  ]) {
    const text = await app.raw(`GET /health HTTP/${head}\r\nConnection: close\r\n\r\n`);
    t.equal(parsed(text).status, 200, head);
  }
});

t.test('OPTIONS * tells what the server takes', async (t) => {
  const app = await startApp(t);
  const ask = async (method: string) =>
    parsed(await app.raw(`${method} * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`));
  const answer = await ask('OPTIONS');
  t.equal(answer.status, 204);
  t.equal(answer.headers.allow, 'DELETE, GET, HEAD, OPTIONS, POST, PUT');
  t.equal(answer.body, '');
  t.equal((await ask('GET')).status, 404);
});

t.test('a client that ends its side behind the request gets the answer', async (t) => {
  const feature = featureOf(({ route }) =>
    route.get('/slow', 'public', async (ctx) => {
      await delay(50);
      ctx.body = 'late';
    }),
  );
  const app = await startApp(t, { features: [feature] });
  const answer = parsed(await app.raw('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n', { half: true }));
  t.equal(answer.status, 200);
  t.equal(answer.body, 'late');
});

t.test('so it does behind the primary, of a write and of pipelined requests', async (t) => {
  const system = await start(t);
  const { hostname, port } = new URL(system.url);
  const writeOf = (id: string) => {
    const body = JSON.stringify(noteOf(id));
    return `${POST}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  };
  for (const [sent, expected] of [
    [writeOf('one'), ['201']],
    [`${writeOf('two')}${GET}Host: localhost\r\n\r\n${writeOf('three')}`, ['201', '200', '201']],
  ] as const) {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.end(sent);
    const received = Buffer.concat(await socket.toArray()).toString('latin1');
    t.same(
      [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status),
      expected,
    );
  }
  const idle = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await once(idle, 'connect');
  idle.end();
  t.equal((await idle.toArray()).length, 0, 'one that asks nothing is closed');
});

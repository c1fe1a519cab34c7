import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { startApp, type TestApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';
import { BOUNDARY, form, IMAGES, upload } from '../support/images.ts';

const MAX_BYTES = 5 * 1024 * 1024;
const PNG = IMAGES['image/png'];
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const big = (sizeBytes: number) => Buffer.concat([PNG, Buffer.alloc(sizeBytes - PNG.length)]);
const countImages = (app: TestApp) =>
  app.writers.get('media')!.prepare('SELECT count(*) FROM images').pluck().get();

t.test('what is refused, why, and that nothing of it is kept', async (t) => {
  const app = await startApp(t);
  const file = { name: 'file', filename: 'a.png', type: 'image/png' };
  const whole = upload(PNG);
  const cases: readonly [
    string,
    { headers?: Record<string, string>; body: Buffer | string },
    number,
    string,
  ][] = [
    ['no type', { body: whole.body }, 415, 'unsupported_media_type'],
    ['JSON', { headers: { 'Content-Type': 'application/json' }, body: '{}' }, 415, 'unsupported_media_type'],
    ['bare image', { headers: { 'Content-Type': 'image/png' }, body: PNG }, 415, 'unsupported_media_type'],
    [
      'mixed',
      { headers: { 'Content-Type': `multipart/mixed; boundary=x` }, body: '' },
      415,
      'unsupported_media_type',
    ],
    [
      'compressed',
      { ...whole, headers: { ...whole.headers, 'Content-Encoding': 'gzip' } },
      415,
      'unsupported_media_type',
    ],
    ['a PDF called a PNG', form({ ...file, content: '%PDF-1.7\n%' }), 415, 'unsupported_media_type'],
    [
      'a BMP',
      form({ ...file, content: Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]) }),
      415,
      'unsupported_media_type',
    ],
    ['text called a PNG', form({ ...file, content: 'hello' }), 422, 'invalid_request'],
    ['HTML', form({ ...file, content: '<script>alert(1)</script>' }), 422, 'invalid_request'],
    ['an empty file', form({ ...file, content: '' }), 422, 'invalid_request'],
    ['no file', form({ name: 'other', content: 'x' }), 422, 'invalid_request'],
    ['a field instead of a file', form({ name: 'file', content: 'x' }), 422, 'invalid_request'],
    ['an empty form', form(), 422, 'invalid_request'],
    ['another field', form({ ...file, name: 'image', content: PNG }), 422, 'invalid_request'],
    ['no field', form({ filename: 'a.png', content: PNG }), 422, 'invalid_request'],
    ['two files', form({ ...file, content: PNG }, { ...file, content: PNG }), 422, 'invalid_request'],
    [
      'a second file elsewhere',
      form({ ...file, content: PNG }, { ...file, name: 'b', content: PNG }),
      422,
      'invalid_request',
    ],
    [
      'too many fields',
      form(...Array.from({ length: 40 }, () => ({ name: 'x', content: '' })), { ...file, content: PNG }),
      422,
      'invalid_request',
    ],
    ['one byte too many', upload(big(MAX_BYTES + 1)), 413, 'too_large'],
    ['far too many', upload(big(2 * MAX_BYTES)), 413, 'too_large'],
    [
      'no boundary',
      { headers: { 'Content-Type': 'multipart/form-data' }, body: whole.body },
      400,
      'malformed_request',
    ],
    [
      'another boundary',
      { headers: { 'Content-Type': 'multipart/form-data; boundary=other' }, body: whole.body },
      400,
      'malformed_request',
    ],
    ['an empty body', { headers: { 'Content-Type': TYPE }, body: '' }, 400, 'malformed_request'],
    ['no last boundary', { ...whole, body: whole.body.subarray(0, -8) }, 400, 'malformed_request'],
    ['a cut part header', { ...whole, body: whole.body.subarray(0, 40) }, 400, 'malformed_request'],
    ['garbage', { headers: { 'Content-Type': TYPE }, body: 'garbage' }, 400, 'malformed_request'],
  ];
  for (const [name, request, status, code] of cases) {
    const answer = await app.call('POST', '/movie/image', request);
    t.equal(answer.status, status, name);
    t.equal(answer.json().code, code, name);
    t.notMatch(
      answer.text,
      /busboy|dicer|Multipart:|at .*\.js/i,
      `${name}: nothing of the parser's own words`,
    );
    if (status === 422) like(t, answer.json().errors, [{ field: 'file', message: /^expected / }], name);
  }
  t.equal(countImages(app), 0);
});

t.test('exactly 5 MiB fit, also in chunks', async (t) => {
  const app = await startApp(t);
  const { headers, body } = upload(big(MAX_BYTES));
  t.equal((await app.call('POST', '/movie/image', { headers, body })).status, 201);
  const response = await fetch(`http://127.0.0.1:${app.port}/movie/image`, {
    method: 'POST',
    headers,
    body: new ReadableStream({
      start(controller) {
        for (let at = 0; at < body.length; at += 100_003) controller.enqueue(body.subarray(at, at + 100_003));
        controller.close();
      },
    }),
    duplex: 'half',
  });
  t.equal(response.status, 200, 'the identical image');
  t.equal(countImages(app), 1);
});

t.test('a chunked body is counted as it comes', async (t) => {
  const app = await startApp(t);
  const chunk = `${(1024 * 1024).toString(16)}\r\n${' '.repeat(1024 * 1024)}\r\n`;
  const text = await app.raw(
    `POST /movie/image HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: ${TYPE}\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}0\r\n\r\n`,
  );
  t.match(text, /^HTTP\/1\.1 413 /);
});

t.test('a client that stops half-way leaves nothing behind, and its slot', async (t) => {
  const app = await startApp(t);
  const { body } = upload(PNG);
  const head = `POST /movie/image HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${TYPE}\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (let n = 0; n < 20; n += 1) {
    const requestId = `half-${n}`;
    const socket = connect(app.port, '127.0.0.1');
    socket.write(head.replace('Host', `X-Request-Id: ${requestId}\r\nHost`));
    socket.write(body.subarray(0, body.length - 1 - n), () => socket.resetAndDestroy());
    await once(socket, 'close');
    like(t, await app.logged({ requestId }), { aborted: true });
  }
  t.equal(countImages(app), 0);
  t.equal((await app.call('POST', '/movie/image', upload(PNG))).status, 201, 'twenty slots were given back');
  t.notMatch(JSON.stringify(app.lines), /"level":"(?:error|warn)"/);
});

t.test(
  'one owner leaves a quarter of the places to others, and the seventeenth upload is sent away',
  async (t) => {
    const gate = Promise.withResolvers<void>();
    let held = 0;
    const isHeld = { at: 0, reached: Promise.withResolvers<void>() };
    const app = await startApp(t, {
      aroundWrite: async (write) => {
        held += 1;
        if (held === isHeld.at) isHeld.reached.resolve();
        await gate.promise;
        return write();
      },
    });
    const keyOf = (owner: string) => app.keyFor(owner, 'write');
    const { headers, body } = upload(PNG);
    const send = (key: { Authorization: string }) =>
      app.call('POST', '/movie/image', { body, headers: { ...headers, ...key } });
    const untilHeld = (count: number) => {
      isHeld.at = count;
      isHeld.reached = Promise.withResolvers<void>();
      return isHeld.reached.promise;
    };
    const greedy = await keyOf('greedy');
    let reached = untilHeld(12);
    const first = Array.from({ length: 12 }, () => send(greedy));
    await reached;
    const refused = await send(greedy);
    t.same([refused.status, refused.json().code, refused.headers['retry-after']], [503, 'overloaded', '1']);
    const others = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(keyOf));
    reached = untilHeld(16);
    const more = others.slice(0, 4).map(send);
    await reached;
    t.equal((await send(others[4]!)).status, 503, 'nothing is free');
    t.equal(
      (await app.call('POST', '/movie/image', { body: '', headers: greedy })).status,
      415,
      'a wrong one needs no slot',
    );
    gate.resolve();
    const statuses = (await Promise.all([...first, ...more])).map(({ status }) => status).sort();
    t.same(statuses, [...Array<number>(11).fill(200), ...Array<number>(5).fill(201)]);
    t.equal((await send(greedy)).status, 200, 'the slots are free again');
  },
);

t.test('an upload that fails in the writer gives its slot back and answers the failure', async (t) => {
  let failing = true;
  const app = await startApp(t, {
    aroundWrite: (write) => {
      if (failing) throw new Error('disk on fire');
      return write();
    },
  });
  for (let n = 0; n < 17; n += 1) {
    const answer = await app.call('POST', '/movie/image', upload(PNG));
    t.equal(answer.status, 500);
    t.notMatch(answer.text, 'fire');
  }
  failing = false;
  t.equal((await app.call('POST', '/movie/image', upload(PNG))).status, 201);
});

t.test('what is an image and something else too is only ever an image', async (t) => {
  const app = await startApp(t);
  const zip = Buffer.from('504b0506000000000000000000000000000000000000', 'hex');
  const polyglots = {
    'a page behind a GIF': [
      'image/gif',
      Buffer.concat([IMAGES['image/gif'], Buffer.from('<html><script>1</script>')]),
    ],
    'a script that begins as a GIF': [
      'image/gif',
      Buffer.from('GIF89a=1;alert(document.domain);//          '),
    ],
    'an archive behind a PNG': ['image/png', Buffer.concat([PNG, zip])],
  } as const;
  for (const [name, [type, bytes]] of Object.entries(polyglots)) {
    const made = await app.call('POST', '/movie/image', upload(bytes, 'x.html', 'text/html'));
    t.equal(made.status, 201, name);
    const got = await app.call('GET', `/movie/image/${made.json().id}`);
    like(t, got.headers, { 'content-type': type, 'x-content-type-options': 'nosniff' }, name);
    t.same(got.bytes, bytes, name);
  }
});

t.test(
  'an image that claims to be huge costs what its bytes cost, since nothing is ever decoded',
  async (t) => {
    const app = await startApp(t);
    const bomb = Buffer.from(PNG);
    // IHDR: width and height.
    bomb.writeUInt32BE(0x7fffffff, 16);
    bomb.writeUInt32BE(0x7fffffff, 20);
    const made = await app.call('POST', '/movie/image', upload(bomb));
    t.equal(made.status, 201);
    t.same((await app.call('GET', `/movie/image/${made.json().id}`)).bytes, bomb);
  },
);

import { createHash } from 'node:crypto';
import t from 'tap';
import { startApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';
import { form, IMAGES, upload } from '../support/images.ts';

const idOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64url');

t.test('an image is judged by its bytes, named by them, and comes back unchanged', async (t) => {
  const app = await startApp(t);
  for (const [type, bytes] of Object.entries(IMAGES)) {
    const id = idOf(bytes);
    const url = `http://127.0.0.1:${app.port}/movie/image/${id}`;
    const made = await app.call('POST', '/movie/image', {
      ...upload(bytes, '../../etc/passwd', 'text/html'),
      headers: { ...upload(bytes).headers, Host: `127.0.0.1:${app.port}` },
    });
    t.equal(made.status, 201, type);
    t.equal(made.text, JSON.stringify({ id, movie_url: url }), type);
    t.equal(made.headers.location, url);

    const again = await app.call('POST', '/movie/image', {
      ...upload(bytes),
      headers: { ...upload(bytes).headers, Host: `127.0.0.1:${app.port}` },
    });
    t.equal(again.status, 200, 'the identical image exists');
    t.equal(again.text, made.text);

    const got = await app.call('GET', `/movie/image/${id}`);
    t.equal(got.status, 200);
    t.same(got.bytes, bytes);
    like(t, got.headers, {
      'content-type': type,
      'content-length': String(bytes.length),
      etag: `"${id}"`,
      'cache-control': 'private, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });

    const head = await app.call('HEAD', `/movie/image/${id}`);
    t.equal(head.status, 200);
    t.equal(head.bytes.length, 0);
    for (const name of ['content-type', 'content-length', 'etag', 'cache-control']) {
      t.equal(head.headers[name], got.headers[name], name);
    }
  }
  const count = app.writers.get('media')!.prepare('SELECT count(*) FROM images').pluck().get();
  t.equal(count, Object.keys(IMAGES).length);
});

t.test('a client that has the image gets a 304 without it', async (t) => {
  const app = await startApp(t);
  const bytes = IMAGES['image/gif'];
  const path = `/movie/image/${idOf(bytes)}`;
  const ask = (method: string, etag: string) =>
    app.call(method, path, { headers: { 'If-None-Match': etag } });
  t.equal((await ask('GET', '*')).status, 404, 'nothing there yet');
  await app.call('POST', '/movie/image', upload(bytes));
  const etag = `"${idOf(bytes)}"`;
  for (const given of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const answer = await ask('GET', given);
    t.equal(answer.status, 304, given);
    t.equal(answer.bytes.length, 0);
    t.equal(answer.headers.etag, etag);
    t.match(answer.headers['cache-control'], /immutable/);
    t.equal(answer.headers['content-type'], undefined);
  }
  t.equal((await ask('HEAD', etag)).status, 304);
  t.equal((await ask('GET', '"other"')).status, 200);
});

t.test('an id that is not there, or is none, is a 404', async (t) => {
  const app = await startApp(t);
  const id = idOf(Buffer.from('never uploaded'));
  const other = ['x', `${id}A`, id.slice(1), `${id.slice(0, 42)}B`, '%00', `${id}%2F`, '..%2f..', "'"];
  t.equal((await app.call('GET', `/movie/image/${id}`)).status, 404);
  const media = app.writers.get('media')!;
  media.exec('DROP TABLE images');
  for (const bad of other)
    t.equal((await app.call('GET', `/movie/image/${bad}`)).status, 404, `${bad}: not looked for`);
  t.equal((await app.call('GET', `/movie/image/${id}`)).status, 500, 'the table is gone indeed');
});

t.test('the URL is under PUBLIC_URL when that is set, and never under a foreign word', async (t) => {
  const bytes = IMAGES['image/png'];
  const urlOf = async (env: Record<string, string>, host: string) => {
    const app = await startApp(t, { env });
    const { headers, body } = upload(bytes);
    // Without a key only this machine's own names are answered to.
    const key = await app.keyFor('someone', 'write');
    const answer = await app.call('POST', '/movie/image', {
      body,
      headers: { ...headers, ...key, Host: host },
    });
    return { status: answer.status, url: answer.json().movie_url, port: app.port };
  };
  const id = idOf(bytes);
  t.equal(
    (await urlOf({ PUBLIC_URL: 'https://alerts.example.com/base/' }, 'evil.example')).url,
    `https://alerts.example.com/base/movie/image/${id}`,
  );
  t.equal((await urlOf({}, 'Alerts.Example:81')).url, `http://Alerts.Example:81/movie/image/${id}`);
  for (const host of ['a/b', 'a b', 'user@evil.example']) t.equal((await urlOf({}, host)).status, 400, host);
  const { url, port } = await urlOf({}, '');
  t.match(url, new RegExp(`^http://(?:localhost|127\\.0\\.0\\.1):${port}/movie/image/${id}$`));
});

t.test('other fields beside the file are ignored', async (t) => {
  const app = await startApp(t);
  const answer = await app.call('POST', '/movie/image', {
    ...form(
      { name: 'title', content: 'x' },
      { name: 'file', filename: 'a', content: IMAGES['image/png'] },
      { name: 'note', content: 'y' },
    ),
  });
  t.equal(answer.status, 201);
});

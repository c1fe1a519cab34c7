import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { openWriter } from '../../../src/sqlite/open.ts';
import { startApp, type TestApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';
import { IMAGES, upload } from '../support/images.ts';

const MB_BYTES = 1024 * 1024;
const PNG = IMAGES['image/png'];
type Key = { Authorization: string };

/** An image of this size, unlike any other. */
const image = (sizeBytes: number) => Buffer.concat([PNG, randomBytes(sizeBytes - PNG.length)]);
const send = async (app: TestApp, bytes: Buffer, key: Key) => {
  const { headers, body } = upload(bytes);
  return app.call('POST', '/movie/image', { body, headers: { ...headers, ...key } });
};
const count = (app: TestApp, table: string) =>
  app.writers.get('media')!.prepare(`SELECT count(*) FROM ${table}`).pluck().get();

t.test('identical images of two owners are kept once, and neither learns of the other', async (t) => {
  const app = await startApp(t);
  const [one, other] = [await app.keyFor('one', 'write'), await app.keyFor('other', 'write')];
  const made = await send(app, PNG, one);
  t.equal(made.status, 201);
  const path = `/movie/image/${made.json().id}`;
  const etag = `"${made.json().id}"`;
  t.equal((await app.call('GET', path, { headers: one })).status, 200);

  const { request_id: _a, ...missing } = (
    await app.call('GET', `/movie/image/${'A'.repeat(43)}`, { headers: other })
  ).json();
  for (const asked of [{}, { 'If-None-Match': etag }, { 'If-None-Match': '*' }]) {
    const answer = await app.call('GET', path, { headers: { ...other, ...asked } });
    const { request_id: _b, ...told } = answer.json();
    t.same(told, missing, 'as if it were not there');
    t.equal(answer.headers.etag, undefined);
  }
  t.equal((await app.call('HEAD', path, { headers: other })).status, 404);

  t.equal((await send(app, PNG, other)).status, 201, 'for this owner it is new');
  t.equal((await send(app, PNG, other)).status, 200);
  t.equal((await send(app, PNG, one)).status, 200);
  t.equal((await app.call('GET', path, { headers: other })).status, 200);
  t.equal(count(app, 'images'), 1);
  t.equal(count(app, 'image_owners'), 2);
});

t.test(
  'an owner has its quota, whichever of its keys it uses, and what exceeds it leaves nothing',
  async (t) => {
    const app = await startApp(t, { env: { UPLOAD_QUOTA_MB: '3' } });
    const keys = [await app.keyFor('one', 'write'), await app.keyFor('one', 'admin')] as const;
    const other = await app.keyFor('other', 'write');
    const first = image(2 * MB_BYTES);
    t.equal((await send(app, first, keys[0])).status, 201);
    const refused = await send(app, image(MB_BYTES + 1), keys[1]);
    t.equal(refused.status, 413);
    like(t, refused.json(), {
      code: 'quota_exceeded',
      detail: `The image has ${MB_BYTES + 1} bytes, and of your 3 MB ${MB_BYTES} bytes are left`,
    });
    t.equal(count(app, 'images'), 1, 'nothing of it is kept');
    t.equal((await send(app, first, keys[1])).status, 200, 'what one has costs nothing again');
    t.equal((await send(app, image(MB_BYTES), keys[1])).status, 201, 'the last byte may be used');
    t.equal((await send(app, PNG, keys[0])).status, 413);
    t.equal((await send(app, first, other)).status, 201, "another's quota is its own");
    t.same(app.writers.get('media')!.prepare('SELECT owner, size_bytes FROM image_usage').raw().all(), [
      ['one', 3 * MB_BYTES],
      ['other', 2 * MB_BYTES],
    ]);
  },
);

t.test('uploads at once cannot pass the quota together', async (t) => {
  const app = await startApp(t, { env: { UPLOAD_QUOTA_MB: '1' } });
  const key = await app.keyFor('one', 'write');
  const answers = await Promise.all(Array.from({ length: 8 }, () => send(app, image(MB_BYTES / 4), key)));
  t.same(answers.map(({ status }) => status).sort(), [201, 201, 201, 201, 413, 413, 413, 413]);
});

t.test('images from before there were owners belong to who calls without a key', async (t) => {
  const db = openWriter(':memory:');
  const migration = (name: string) =>
    readFileSync(new URL(`../../../src/app/images/migrations/${name}`, import.meta.url), 'utf8');
  db.exec(migration('0001_create_images.sql'));
  const insert = db.prepare('INSERT INTO images VALUES (?, ?, ?, ?, ?, ?)');
  insert.run(1, 'a', 'image/png', 3, 7, Buffer.from('abc'));
  insert.run(2, 'b', 'image/png', 2, 8, Buffer.from('ab'));
  db.exec(migration('0002_give_images_owners.sql'));
  t.same(db.prepare('SELECT * FROM image_owners').raw().all(), [
    ['', 1, 7],
    ['', 2, 8],
  ]);
  t.same(db.prepare('SELECT * FROM image_usage').raw().all(), [['', 5]]);
  db.close();
});

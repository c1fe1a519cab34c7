import t from 'tap';
import { hashOfAddress, KEY_BYTES, open, seal } from '../../../src/app/alerts/unsubscribe/token.ts';
import { startApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';

const KEY = Buffer.alloc(KEY_BYTES, 1);
const SUBSCRIPTION = { owner: 'acme', addressHash: hashOfAddress('jane@example.com') };

t.test('a token opens to what was sealed, and no other token opens', async (t) => {
  const token = seal(SUBSCRIPTION, KEY);
  t.match(token, /^[\w-]+$/);
  t.same(open(token, KEY), SUBSCRIPTION);
  t.equal(open(token, Buffer.alloc(KEY_BYTES, 2)), undefined);
  for (const wrong of ['', 'x', token.slice(1), `${token}AAAA`, token.slice(0, 40), 'A'.repeat(5000)]) {
    t.equal(open(wrong, KEY), undefined, wrong.slice(0, 60));
  }
  const bytes = Buffer.from(token, 'base64url');
  for (let index = 0; index < bytes.length; index += 1) {
    const flipped = Buffer.from(bytes);
    flipped[index]! ^= 1;
    t.equal(open(flipped.toString('base64url'), KEY), undefined, `byte ${index}`);
  }
});

t.test('whoever has the link ends the mails in one click, without a key', async (t) => {
  const app = await startApp(t);
  const db = app.writers.get('main')!;
  const body = {
    movieId: 'm',
    email: 'Jane@Example.com',
    notification_date: '2030-01-31',
    title: 'A',
    category: 'B',
    imageUrl: 'https://example.com/a.png',
  };
  for (const [movieId, email] of [
    ['mine', body.email],
    ['other', 'joe@example.com'],
  ] as const) {
    await app.call('POST', '/alert', { body: { ...body, movieId, email } });
  }
  const claim = { leaseOwner: 'test', leaseMs: 1000, dueThrough: '2030-01-30', limit: 10, held: [] };
  t.same(await app.write('alerts', 'claim', claim), { ids: [], cancelled: 0 });
  const key = db.prepare<[], Buffer>('SELECT value FROM unsubscribe_key').pluck().get()!;
  const token = seal({ owner: '', addressHash: hashOfAddress(body.email) }, key);
  await app.keyFor('somebody', 'read');

  const page = await app.call('GET', `/unsubscribe/${token}`);
  t.equal(page.status, 200);
  t.match(page.text, /<form method="post">/);
  t.match(page.headers['content-security-policy'], /default-src 'none'/);
  t.equal(db.prepare('SELECT count(*) FROM unsubscribed').pluck().get(), 0, 'reading it changes nothing');
  for (const what of ['the first time', 'once more']) {
    const done = await app.call('POST', `/unsubscribe/${token}`, {
      body: 'List-Unsubscribe=One-Click',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    t.equal(done.status, 200, what);
  }
  const due = (await app.write('alerts', 'claim', { ...claim, dueThrough: '2030-01-31' })) as {
    ids: number[];
  };
  like(t, due, { cancelled: 1 });
  t.equal(due.ids.length, 1, 'who has not unsubscribed is claimed');
  const state = db.prepare("SELECT status, last_error FROM alerts WHERE movie_id = 'mine'").get();
  t.same(state, { status: 'cancelled', last_error: 'The recipient has unsubscribed' });
  for (const path of ['/unsubscribe/x', `/unsubscribe/${seal({ ...SUBSCRIPTION }, KEY)}`]) {
    t.equal((await app.call('GET', path)).status, 404);
    t.equal((await app.call('POST', path)).status, 404);
  }
});

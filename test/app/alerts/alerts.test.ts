import t from 'tap';
import { Failure } from '../../../src/platform/errors.ts';
import { startApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';

const ALERT = {
  movieId: 'tt0133093',
  email: 'jane@example.com',
  notification_date: '2028-02-29',
  title: 'The Matrix',
  category: 'science fiction',
  imageUrl: 'https://example.com/matrix.png',
};

/** What is read of an alert that nothing has happened to. */
const NEW = { status: 'scheduled', attempts: 0, next_attempt_at: null, last_error: null, sent_at: null };

t.test('an alert is made, read, replaced and removed', async (t) => {
  const app = await startApp(t);
  const path = `/alert/movie/${ALERT.movieId}`;

  const made = await app.call('POST', '/alert', { body: ALERT });
  t.equal(made.status, 201);
  t.equal(made.text, JSON.stringify(ALERT));
  t.equal(made.headers.location, path);
  t.equal((await app.call('GET', path)).text, JSON.stringify({ ...ALERT, ...NEW }));

  const changed = { ...ALERT, title: 'The Matrix Reloaded', email: 'joe@example.com' };
  const replaced = await app.call('POST', '/alert', { body: changed });
  t.equal(replaced.status, 200);
  t.equal(replaced.text, JSON.stringify(changed));
  t.equal((await app.call('GET', path)).text, JSON.stringify({ ...changed, ...NEW }));
  const rows = app.writers
    .get('main')!
    .prepare('SELECT version, created_at_ms, updated_at_ms FROM alerts')
    .all();
  like(t, rows, [{ version: 2 }]);

  const removed = await app.call('DELETE', path);
  t.equal(removed.status, 200);
  t.equal(removed.text, JSON.stringify({ movieId: ALERT.movieId, message: 'Alert successfully removed' }));
  for (const method of ['GET', 'DELETE']) {
    const answer = await app.call(method, path);
    t.equal(answer.status, 404, method);
    t.equal(answer.json().code, 'not_found');
    t.notMatch(answer.text, ALERT.movieId, 'what was asked for is not repeated');
  }
  t.equal((await app.call('POST', '/alert', { body: ALERT })).status, 201, 'made anew, it is new');
});

t.test(
  'exactly the six fields come back, in their order, whatever was sent, and what became of it behind them',
  async (t) => {
    const app = await startApp(t);
    const { imageUrl, title, ...rest } = ALERT;
    const shuffled = { extra: 1, imageUrl, version: 9, title, ...rest, id: 7 };
    const answer = await app.call('POST', '/alert', { body: shuffled });
    t.equal(answer.status, 201);
    t.equal(answer.text, JSON.stringify(ALERT));
    t.equal(
      (await app.call('GET', '/alert')).text,
      `{"items":[${JSON.stringify({ ...ALERT, ...NEW })}],"next_cursor":null,"has_more":false}`,
    );
  },
);

t.test('a movie id survives the way through the URL', async (t) => {
  const app = await startApp(t);
  const ids = [
    'a/b',
    '/',
    '100%',
    '%2F',
    'a b+c',
    'ünï/코드/🎬',
    '?#&=;',
    "';DROP TABLE alerts;--",
    '..%2f',
    '__proto__',
    'constructor',
    '\u2028',
    '🎬'.repeat(128),
  ];
  for (const movieId of ids) {
    const path = `/alert/movie/${encodeURIComponent(movieId)}`;
    const alert = { ...ALERT, movieId };
    const made = await app.call('POST', '/alert', { body: alert });
    t.equal(made.status, 201, movieId);
    t.equal(made.headers.location, path);
    t.same((await app.call('GET', path)).json(), { ...alert, ...NEW }, path);
    t.equal((await app.call('DELETE', path)).json().movieId, movieId);
    t.equal((await app.call('GET', path)).status, 404);
  }
});

t.test('what cannot be a movie id has no alert, and the writer is not asked', async (t) => {
  let writes = 0;
  const app = await startApp(t, {
    aroundWrite: (write) => {
      writes += 1;
      return write();
    },
  });
  for (const id of ['%00', '%0a', 'x'.repeat(129)]) {
    t.equal((await app.call('GET', `/alert/movie/${id}`)).status, 404, id);
    t.equal((await app.call('DELETE', `/alert/movie/${id}`)).status, 404, id);
  }
  t.equal(writes, 0);
});

t.test('what the writer refuses reaches the client as it is', async (t) => {
  const app = await startApp(t, {
    aroundWrite: () => {
      throw new Failure('writer_busy', 'The write queue is full', { retryAfterSeconds: 1 });
    },
  });
  const answer = await app.call('POST', '/alert', { body: ALERT });
  t.equal(answer.status, 503);
  t.equal(answer.json().code, 'writer_busy');
  t.equal(answer.headers['retry-after'], '1');
  t.notMatch(answer.text, ALERT.email);
  t.equal((await app.call('GET', `/alert/movie/${ALERT.movieId}`)).status, 404, 'nothing was written');
});

t.test(
  'an alert whose key a URL cannot carry is listed, and goes with a path that is sent as it is',
  async (t) => {
    const app = await startApp(t);
    for (const movieId of ['.', '..']) {
      await app.call('POST', '/alert', { body: { ...ALERT, movieId: `old ${movieId}` } });
    }
    // As they were made before such keys were refused.
    app.writers.get('main')!.exec('UPDATE alerts SET movie_id = substr(movie_id, 5)');
    const ids = async () => {
      const { items } = (await app.call('GET', '/alert')).json() as { items: { movieId: string }[] };
      return items.map(({ movieId }) => movieId);
    };
    t.strictSame(await ids(), ['..', '.']);
    t.equal((await app.call('GET', '/alert/movie/..')).status, 200);
    t.equal((await app.call('DELETE', '/alert/movie/..')).status, 200);
    t.equal((await app.call('DELETE', '/alert/movie/%2E')).status, 200);
    t.strictSame(await ids(), []);
  },
);

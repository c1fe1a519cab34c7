import t from 'tap';
import { startApp, type TestApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';

const ALERT = {
  movieId: 'm',
  email: 'jane@example.com',
  notification_date: '2030-02-28',
  title: 'The Matrix',
  category: 'science fiction',
  imageUrl: 'https://example.com/matrix.png',
};
const PATH = '/alert/movie/m';
const DAY_MS = 86_400_000;

/** Moves the alert to a state that the mailer brings about. */
function set(app: TestApp, status: string): void {
  app.writers.get('main')!.prepare('UPDATE alerts SET status = ?, revision = revision + 1').run(status);
}

async function made(app: TestApp, change: object = {}): Promise<string> {
  const answer = await app.call('POST', '/alert', { body: { ...ALERT, ...change } });
  if (answer.status >= 300) throw new Error(answer.text);
  return answer.headers.etag!;
}

t.test('fields are changed alone, and nothing else can be', async (t) => {
  const app = await startApp(t);
  await made(app);
  const answer = await app.call('PATCH', PATH, { body: { title: 'Neo', notification_date: '2031-01-01' } });
  t.equal(answer.status, 200);
  like(t, answer.json(), { ...ALERT, title: 'Neo', notification_date: '2031-01-01', status: 'scheduled' });
  t.same((await app.call('GET', PATH)).json(), answer.json());
  const wrong = [
    {},
    { movieId: 'n' },
    { status: 'sent' },
    { title: null },
    { email: 'no' },
    { titel: 'x' },
    [],
  ];
  for (const body of wrong) {
    const refused = await app.call('PATCH', PATH, { body });
    t.equal(refused.status, 422, JSON.stringify(body));
  }
  t.equal((await app.call('PATCH', '/alert/movie/other', { body: { title: 'x' } })).status, 404);
});

t.test('a date that is past is refused, today is not', async (t) => {
  const app = await startApp(t, { env: { TIMEZONE: 'UTC' } });
  const date = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
  // The day may end between here and there: two days ago it was past before as well.
  const past = await app.call('POST', '/alert', { body: { ...ALERT, notification_date: date(-2) } });
  t.equal(past.status, 422);
  like(t, past.json(), { errors: [{ field: 'notification_date', message: /not past: it is \d{4}/ }] });
  await made(app, { notification_date: date(1) });
  t.equal((await app.call('PATCH', PATH, { body: { notification_date: '2026-01-31' } })).status, 422);
});

t.test('until it is being sent an alert can be changed, cancelled and removed', async (t) => {
  const app = await startApp(t);
  await made(app);
  const cancelled = await app.call('POST', `${PATH}/cancel`);
  t.equal(cancelled.json().status, 'cancelled');
  t.equal((await app.call('POST', `${PATH}/cancel`)).headers.etag, cancelled.headers.etag, 'once is enough');
  t.equal((await app.call('PATCH', PATH, { body: { title: 'x' } })).json().status, 'cancelled');
  await made(app);
  t.equal((await app.call('GET', PATH)).json().status, 'scheduled', 'made anew, it is scheduled');

  const change = () => [
    app.call('PATCH', PATH, { body: { title: 'x' } }),
    app.call('POST', `${PATH}/cancel`),
  ];
  const replace = () => [app.call('DELETE', PATH), app.call('POST', '/alert', { body: ALERT })];
  set(app, 'sending');
  for (const answer of await Promise.all([...change(), ...replace()])) {
    t.equal(answer.status, 409);
    t.equal(answer.json().code, 'alert_sending');
  }
  set(app, 'sent');
  for (const answer of await Promise.all(change())) t.equal(answer.json().code, 'alert_sent');
  await made(app);
  like(t, (await app.call('GET', PATH)).json(), { status: 'scheduled', sent_at: null });
  set(app, 'sent');
  t.equal((await app.call('DELETE', PATH)).status, 200);
});

t.test('one that has failed is tried again on request, and no other is', async (t) => {
  const app = await startApp(t);
  await made(app);
  t.equal((await app.call('POST', `${PATH}/retry`)).json().code, 'alert_not_failed');
  set(app, 'failed');
  app.writers.get('main')!.exec('UPDATE alerts SET attempts = 12');
  const retried = await app.call('POST', `${PATH}/retry`);
  like(t, retried.json(), { status: 'scheduled', attempts: 0 });
  t.equal((await app.call('POST', '/alert/movie/other/retry')).status, 404);
});

t.test('whoever has an older version is told, and nothing is changed', async (t) => {
  const app = await startApp(t);
  const first = await made(app);
  t.match(first, /^"[\w-]+"$/);
  const read = await app.call('GET', PATH);
  t.equal(read.headers.etag, first);
  for (const tags of [first, `"x", W/${first}`, '*']) {
    const known = await app.call('GET', PATH, { headers: { 'If-None-Match': tags } });
    t.equal(known.status, 304, tags);
    t.equal(known.text, '');
    t.equal(known.headers.etag, first);
  }
  const patch = (ifMatch: string) =>
    app.call('PATCH', PATH, { body: { title: 'x' }, headers: { 'If-Match': ifMatch } });
  const second = (await patch(`"other,with-a-comma", ${first}`)).headers.etag!;
  t.not(second, first);
  for (const stale of [first, `W/${second}`, '"other"']) {
    const calls = [
      patch(stale),
      app.call('POST', '/alert', { body: ALERT, headers: { 'If-Match': stale } }),
      app.call('POST', `${PATH}/cancel`, { headers: { 'If-Match': stale } }),
      app.call('DELETE', PATH, { headers: { 'If-Match': stale } }),
    ];
    for (const answer of await Promise.all(calls)) t.equal(answer.status, 412, stale);
  }
  // Weakly compared: RFC 9110 13.1.2.
  for (const known of [second, `W/${second}`, `"x", W/${second}`, '*']) {
    const headers = { 'If-None-Match': known };
    const calls = [
      app.call('PATCH', PATH, { body: { title: 'x' }, headers }),
      app.call('POST', '/alert', { body: ALERT, headers }),
      app.call('POST', `${PATH}/cancel`, { headers }),
      app.call('DELETE', PATH, { headers }),
    ];
    for (const answer of await Promise.all(calls)) t.equal(answer.status, 412, known);
  }
  set(app, 'sent');
  t.equal(
    (await app.call('GET', PATH, { headers: { 'If-None-Match': second } })).status,
    200,
    'the state counts',
  );
  const tag = (await app.call('GET', PATH)).headers.etag!;
  t.equal((await app.call('DELETE', PATH, { headers: { 'If-Match': tag } })).status, 200);
  t.equal((await patch('*')).status, 404);
  t.equal((await patch('nonsense')).status, 422);
});

t.test('an alert can be made on the condition that there is none', async (t) => {
  const app = await startApp(t);
  const create = (headers: Record<string, string>) => app.call('POST', '/alert', { body: ALERT, headers });
  t.equal((await create({ 'If-Match': '*' })).status, 412);
  const tag = (await create({ 'If-None-Match': '*' })).headers.etag!;
  t.equal((await create({ 'If-None-Match': '*' })).status, 412);
  t.equal((await create({ 'If-None-Match': tag })).status, 412);
  t.equal((await create({ 'If-Match': tag })).status, 200);
  await app.call('DELETE', PATH);
  t.not((await create({ 'If-None-Match': '*' })).headers.etag, tag, 'another alert has another tag');
});

t.test('the list is filtered by status and date, page by page', async (t) => {
  const app = await startApp(t);
  for (let day = 1; day <= 9; day += 1) {
    await made(app, { movieId: `m${day}`, notification_date: `2030-01-0${day}` });
  }
  const status = app.writers.get('main')!.prepare('UPDATE alerts SET status = ? WHERE movie_id = ?');
  for (const id of ['m2', 'm5', 'm8']) status.run('failed', id);
  status.run('sent', 'm3');
  const list = async (query: string) => {
    const answer = await app.call('GET', `/alert?${query}`);
    t.equal(answer.status, 200, answer.text);
    return answer.json() as { items: { movieId: string }[]; next_cursor: string | null };
  };
  const ids = async (query: string) => (await list(query)).items.map(({ movieId }) => movieId);
  t.same(await ids('status=failed'), ['m8', 'm5', 'm2']);
  t.same(await ids('status=sent'), ['m3']);
  t.same(await ids('status=sending'), []);
  t.same(await ids('from=2030-01-03&to=2030-01-05'), ['m5', 'm4', 'm3']);
  t.same(await ids('status=scheduled&from=2030-01-07'), ['m9', 'm7']);
  const first = await list('status=failed&limit=2');
  t.same(await ids(`status=failed&limit=2&cursor=${first.next_cursor}`), ['m2']);
  t.equal((await list('status=failed&limit=3')).next_cursor, null);
  for (const wrong of ['status=lost', 'from=2030-02-30', 'to=x', 'status=sent&status=failed']) {
    t.equal((await app.call('GET', `/alert?${wrong}`)).status, 422, wrong);
  }
});

t.test('a filter that finds little in much answers in short pages, and finds it', async (t) => {
  const app = await startApp(t);
  app.writers.get('main')!.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
    INSERT INTO alerts (owner, movie_id, email, notification_date, title, category, image_url, created_at_ms, updated_at_ms)
    SELECT '', 'm' || i, 'a@b.org', iif(i = 7, '2031-01-01', '2030-01-01'), 't', 'c', 'https://example.org/', 0, 0 FROM n`);
  const found: unknown[] = [];
  let cursor: string | null = '';
  let pages = 0;
  while (cursor !== null) {
    const answer = await app.call('GET', `/alert?from=2031-01-01${cursor && `&cursor=${cursor}`}`);
    const page = answer.json() as { items: { movieId: string }[]; next_cursor: string | null };
    found.push(...page.items.map(({ movieId }) => movieId));
    cursor = page.next_cursor;
    pages += 1;
  }
  t.same(found, ['m7']);
  t.equal(pages, 3);
});

import { randomBytes } from 'node:crypto';
import t from 'tap';
import { Cursors } from '../../../src/app/alerts/cursor.ts';
import { startApp, type TestApp } from '../../support/app.ts';

interface Page {
  readonly items: readonly { readonly movieId: string }[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

async function put(app: TestApp, movieId: string): Promise<void> {
  const answer = await app.call('POST', '/alert', {
    body: {
      movieId,
      email: 'jane@example.com',
      notification_date: '2030-01-31',
      title: 'A',
      category: 'B',
      imageUrl: 'https://example.com/a.png',
    },
  });
  if (answer.status >= 300) throw new Error(answer.text);
}

async function page(app: TestApp, query: string): Promise<Page> {
  const answer = await app.call('GET', `/alert?${query}`);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json() as unknown as Page;
}

const idsOf = ({ items }: Page) => items.map((item) => item.movieId);

t.test('an empty list has no cursor', async (t) => {
  const app = await startApp(t);
  t.equal((await app.call('GET', '/alert')).text, '{"items":[],"next_cursor":null,"has_more":false}');
});

t.test(
  'pages follow the order of creation, the newest first, and a replacement keeps its place',
  async (t) => {
    const app = await startApp(t);
    for (let n = 1; n <= 5; n += 1) await put(app, `m${n}`);
    await put(app, 'm2');

    const first = await page(app, 'limit=2');
    t.same(idsOf(first), ['m5', 'm4']);
    t.equal(first.has_more, true);
    t.match(first.next_cursor, /^[\w-]+$/);
    const second = await page(app, `limit=2&cursor=${first.next_cursor}`);
    t.same(idsOf(second), ['m3', 'm2']);
    const third = await page(app, `limit=2&cursor=${second.next_cursor}`);
    t.same(idsOf(third), ['m1']);
    t.equal(third.has_more, false);
    t.equal(third.next_cursor, null);

    const exact = await page(app, 'limit=5');
    t.equal(exact.items.length, 5);
    t.equal(exact.has_more, false, 'a page that ends with the list has no next');
  },
);

t.test('what comes or goes between two pages neither repeats nor hides another', async (t) => {
  const app = await startApp(t);
  for (let n = 1; n <= 6; n += 1) await put(app, `m${n}`);
  const first = await page(app, 'limit=2');
  await put(app, 'm7');
  await app.call('DELETE', '/alert/movie/m5');
  await app.call('DELETE', '/alert/movie/m3');
  t.same(idsOf(await page(app, `limit=2&cursor=${first.next_cursor}`)), ['m4', 'm2']);
});

t.test('limit is 20 unless it is given, and at most 100', async (t) => {
  const app = await startApp(t);
  for (let n = 1; n <= 101; n += 1) await put(app, `m${n}`);
  t.equal((await page(app, '')).items.length, 20);
  t.equal((await page(app, 'limit=1')).items.length, 1);
  t.equal((await page(app, 'limit=100')).items.length, 100);
});

/** @returns the cursor behind the first of two alerts */
async function firstCursor(app: TestApp): Promise<unknown> {
  for (const id of ['first', 'second']) await put(app, id);
  return (await app.call('GET', '/alert?limit=1')).json().next_cursor;
}

t.test('a bad limit or cursor is a 422 with the field', async (t) => {
  const app = await startApp(t);
  const sealed = (await firstCursor(app)) as string;
  const tampered = `${sealed}A`;
  const older = (id: number) => Buffer.from(`alerts<${id}`).toString('base64url');
  const cases: readonly [string, string][] = [
    ...['0', '101', '-1', '1.5', '1e1', 'x', '', '%201', '+1', '01', '9'.repeat(400)].map(
      (limit) => [`limit=${limit}`, 'limit'] as [string, string],
    ),
    ['limit=1&limit=2', 'limit'],
    ...['', 'x', '1', 'MQ', '%00', tampered, 'a'.repeat(5000)].map(
      (cursor) => [`cursor=${cursor}`, 'cursor'] as [string, string],
    ),
    [`cursor=${sealed}&cursor=${sealed}`, 'cursor'],
    [`cursor=${older(5)}A`, 'cursor'],
    [`cursor=${sealed.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`, 'cursor'],
    [`cursor=${Buffer.from('images<5').toString('base64url')}`, 'cursor'],
  ];
  for (const [query, field] of cases) {
    const answer = await app.call('GET', `/alert?${query}`);
    t.equal(answer.status, 422, query.slice(0, 60));
    const errors = answer.json().errors as { field: string; message: string }[];
    t.same(
      errors.map((error) => error.field),
      [field],
      query.slice(0, 60),
    );
  }
});

t.test('a cursor is taken back only as it was made, for its owner, and tells no number', async (t) => {
  const cursors = new Cursors(randomBytes(32));
  const ids = [1, 2, 42, Number.MAX_SAFE_INTEGER];
  for (const id of ids) {
    const cursor = cursors.encode('o', id);
    t.equal(cursors.decode('o', cursor), id);
    t.equal(cursors.decode('other', cursor), undefined);
    t.equal(cursors.decode('o', `${cursor}=`), undefined, 'padded');
    t.equal(new Cursors(randomBytes(32)).decode('o', cursor), undefined, 'of another key');
    const bytes = Buffer.from(cursor, 'base64url');
    t.equal(bytes.length, 16);
    t.equal(bytes.includes(Buffer.from(String(id).padStart(2, '<'))), false);
  }
  const older = (id: string) => Buffer.from(`alerts<${id}`).toString('base64url');
  for (const id of ids) t.equal(cursors.decode('o', older(String(id))), id, 'of a release before');
  for (const id of ['0', '-1', '1.5', '1e3', ' 1', '007', '0x10', '9007199254740993', 'NaN', ''])
    t.equal(cursors.decode('o', older(id)), undefined, id);
});

import t from 'tap';
import { features } from '../../../src/features/features.ts';
import { featureOf, startApp } from '../../support/app.ts';

const probe = featureOf(({ route }) => {
  const answer =
    (name: string) =>
    (ctx: { body: unknown; params: unknown }): void => {
      ctx.body = { name, params: ctx.params };
    };
  route.get('/deep/*rest', 'public', answer('wildcard'));
  route.get('/maybe{/:one}', 'public', answer('optional'));
  route.get('/two/:one', 'public', answer('segment'));
  route.put('/two/:one', 'public', answer('put'));
  route.get('/first/:one', 'public', answer('the first'));
  route.get('/first/*rest', 'public', answer('the second'));
  route.get('/slash/', 'public', answer('slash'));
  route.get('/returned', 'public', () => ({ name: 'returned' }));
  route.get('/returned/late', 'public', async () => ({ name: 'returned' }));
});

t.test('a path finds its route, however many slashes it and the pattern have', async (t) => {
  const app = await startApp(t, { features: [...features, probe] });
  const found = async (method: string, path: string) => {
    const { status, text } = await app.call(method, path);
    return status === 200 ? (JSON.parse(text) as unknown) : status;
  };
  t.same(await found('GET', '/deep/a'), { name: 'wildcard', params: { rest: 'a' } });
  t.same(await found('GET', '/deep/a/b/c/d/e/f/g/h'), {
    name: 'wildcard',
    params: { rest: 'a/b/c/d/e/f/g/h' },
  });
  t.same(await found('GET', '/maybe'), { name: 'optional', params: {} });
  t.same(await found('GET', '/maybe/x'), { name: 'optional', params: { one: 'x' } });
  t.same(await found('GET', '/two/a%2Fb'), { name: 'segment', params: { one: 'a/b' } });
  t.same(await found('PUT', '/two/x'), { name: 'put', params: { one: 'x' } });
  t.same(await found('GET', '/first/x'), { name: 'the first', params: { one: 'x' } });
  t.same(await found('GET', '/first/x/y'), { name: 'the second', params: { rest: 'x/y' } });
  t.same(await found('GET', '/slash/'), { name: 'slash', params: {} });
  for (const path of ['/slash', '/two', '/two/x/', '/two/x/y', '/a/b/c/d/e/f/g/h/i', '/Two/x', '//two/x'])
    t.equal(await found('GET', path), 404, path);
  const refused = await app.call('DELETE', '/two/x');
  t.same([refused.status, refused.headers.allow], [405, 'GET, HEAD, OPTIONS, PUT']);
  const asked = await app.call('OPTIONS', '/two/x');
  t.same([asked.status, asked.headers.allow], [204, 'GET, HEAD, OPTIONS, PUT']);
});

t.test('a handler that has set no answer is an error of ours, and no 404', async (t) => {
  const app = await startApp(t, { features: [...features, probe] });
  for (const path of ['/returned', '/returned/late'])
    t.equal((await app.call('GET', path)).status, 500, path);
});

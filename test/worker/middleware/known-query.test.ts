import t from 'tap';
import { startApp } from '../../support/app.ts';

t.test('a query parameter that a route does not take is refused, by its name', async (t) => {
  const app = await startApp(t);
  const list = 'expected only limit, after';
  const none = 'expected no query parameter';
  for (const [method, path, errors] of [
    ['GET', '/note?state=failed', [{ field: 'state', message: list }]],
    [
      'GET',
      '/note?after=a&Limit=1&form=2030-01-01&form=2',
      [
        { field: 'Limit', message: list },
        { field: 'form', message: list },
      ],
    ],
    ['GET', '/note?__proto__=1', [{ field: '__proto__', message: list }]],
    ['GET', '/note?=1', [{ field: '', message: list }]],
    ['HEAD', '/note?state=failed', undefined],
    ['GET', '/note/m?fields=title', [{ field: 'fields', message: none }]],
    ['DELETE', '/note/m?dry_run', [{ field: 'dry_run', message: none }]],
    ['POST', '/note/m/touch?force=1', [{ field: 'force', message: none }]],
    ['PUT', '/note/m?upsert=1', [{ field: 'upsert', message: none }]],
    ['POST', '/note?dry_run=1', [{ field: 'dry_run', message: none }]],
    ['POST', '/file?public=1', [{ field: 'public', message: none }]],
    ['GET', '/file/x?width=10', [{ field: 'width', message: none }]],
  ] as const) {
    const answer = await app.call(method, path);
    t.equal(answer.status, 422, `${method} ${path}`);
    if (errors) t.strictSame(answer.json().errors, errors, `${method} ${path}`);
  }
});

t.test('what a route takes, and an empty query, is taken', async (t) => {
  const app = await startApp(t);
  for (const path of ['/note?', '/note?limit=1&after=2030-01-01']) {
    t.equal((await app.call('GET', path)).status, 200, path);
  }
});

t.test('without a key the answer is that one is needed, whatever the query', async (t) => {
  const app = await startApp(t);
  await app.keyFor('shop', 'read');
  t.equal((await app.call('GET', '/note?state=failed')).status, 401);
});

t.test('public routes ignore what is added to their links, and so do those of the operator', async (t) => {
  const app = await startApp(t);
  for (const [path, status] of [
    ['/health?utm_source=mail', 200],
    ['/ready?x=1', 200],
    ['/docs?utm_source=mail', 200],
    ['/docs/swagger-ui.css?v=2', 200],
    ['/openapi.json?x', 200],
    ['/ops?utm_campaign=a', 200],
    ['/page/x?utm_medium=email', 404],
    ['/metrics?module=x', 503],
  ] as const) {
    t.equal((await app.call('GET', path)).status, status, path);
  }
});

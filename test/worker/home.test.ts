import t from 'tap';
import { defineRoute } from '../../src/contract/route.ts';
import { features } from '../../src/features/features.ts';
import { featureOf, startApp } from '../support/app.ts';
import { describedBy } from '../support/described.ts';

t.test('the root says what this is, and leads to what is public alone', async (t) => {
  const app = await startApp(t);
  await app.keyFor('somebody', 'admin');
  const page = await app.call('GET', '/?utm_source=mail');
  t.equal(page.status, 200);
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  t.notMatch(page.headers['content-security-policy'], /unsafe/);
  const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
  t.strictSame(links, ['data:,', 'docs', 'openapi.json'], 'relative, and none of the operator');
  for (const link of links.slice(1)) t.equal((await app.call('GET', `/${link}`)).status, 200, link);
  t.notMatch(page.text, /ops|metrics|<script|style=/);
  const again = await app.call('GET', '/', { headers: { 'If-None-Match': page.headers.etag! } });
  t.equal(again.status, 304);
  t.equal((await app.call('POST', '/')).status, 405);
});

t.test('a feature that has a page there goes before it', async (t) => {
  const own = featureOf(() => {});
  const page = defineRoute({
    method: 'get',
    path: '/',
    scope: 'public',
    rate: 'public',
    id: 'getOwn',
    summary: 'Own',
    answers: { 200: { description: 'Own.', content: { 'text/plain': {} } } },
    prepare: () => (ctx) => {
      ctx.type = 'text/plain';
      ctx.body = 'own';
    },
  });
  const started = await startApp(t, { features: [{ ...own, name: 'pages', routes: async () => [page] }] });
  t.equal((await started.call('GET', '/')).text, 'own');
  const { paths } = JSON.parse((await started.call('GET', '/openapi.json')).text);
  t.equal(paths['/'].get.operationId, 'getOwn');
  const { document } = await describedBy(features);
  t.equal(document.paths['/']!.get!.operationId, 'getHome');
});

import t from 'tap';
import { app, features } from '../../src/features.ts';
import { describeApi } from '../../src/worker/openapi/describe.ts';
import { featureOf, startApp } from '../support/app.ts';

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
  const own = {
    ...featureOf(({ route }) => {
      route.get('/', 'public', (ctx) => {
        ctx.type = 'text/plain';
        ctx.body = 'own';
      });
    }),
    describe: async () => [
      {
        method: 'get' as const,
        path: '/',
        scope: 'public' as const,
        id: 'getOwn',
        summary: 'Own',
        answers: { 200: { description: 'Own.', content: { 'text/plain': {} } } },
      },
    ],
  };
  const started = await startApp(t, { features: [own] });
  t.equal((await started.call('GET', '/')).text, 'own');
  const { paths } = await describeApi({ about: app, features: [own], config: {} });
  t.equal(paths['/']!.get!.operationId, 'getOwn');
  const { paths: usual } = await describeApi({ about: app, features, config: {} });
  t.equal(usual['/']!.get!.operationId, 'getHome');
});

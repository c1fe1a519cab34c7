import t from 'tap';
import { startApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';

t.test(
  'the page and all that it names are served from here, under a policy without exceptions',
  async (t) => {
    const app = await startApp(t);
    const page = await app.call('GET', '/docs');
    t.equal(page.status, 200);
    t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    const policy = page.headers['content-security-policy']!;
    t.match(policy, /default-src 'none'/);
    t.notMatch(policy, /unsafe|https?:|\*/);
    const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
    t.ok(named.length >= 4);
    for (const link of named) {
      // Relative, so that the page works behind a proxy that takes a path away.
      const path = new URL(link, 'http://localhost/docs').pathname;
      const asset = await app.call('GET', path);
      t.equal(asset.status, 200, path);
      t.equal(String(asset.bytes.length), asset.headers['content-length'], `${path} is whole`);
      const head = await app.call('HEAD', path);
      like(t, head, { status: 200, bytes: { length: 0 } }, path);
      t.equal(head.headers['content-length'], asset.headers['content-length'], path);
      const again = await app.call('GET', path, { headers: { 'If-None-Match': asset.headers.etag! } });
      t.equal(again.status, 304, path);
    }
    t.notMatch(page.text, /<script(?! src)|\son\w+=|style=/, 'no script and no style within the page');
  },
);

t.test('nothing but the files of the page can be asked for', async (t) => {
  const app = await startApp(t);
  for (const name of [
    'package.json',
    'index.html',
    'swagger-ui.js.map',
    '..%2f..%2fpackage.json',
    '%2e%2e',
    'constructor',
    '%00',
  ]) {
    t.equal((await app.call('GET', `/docs/${name}`)).status, 404, name);
  }
});

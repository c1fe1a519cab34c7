import t from 'tap';
import { features } from '../../../src/features.ts';
import { startApp } from '../../support/app.ts';
import { chromiumPath, openPage } from '../../support/browser.ts';
import { describedBy } from '../../support/described.ts';
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

t.test(
  'in a real browser the page shows every operation, and can try one out',
  { skip: chromiumPath === undefined && 'no Chromium on this machine; CHROMIUM_BIN names one' },
  async (t) => {
    const app = await startApp(t);
    const { page, complaints, requested } = await openPage(t);
    await page.goto(`http://127.0.0.1:${app.port}/docs`);
    await page.locator('.opblock').first().waitFor();
    const { document } = await describedBy(features);
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
    t.equal(await page.locator('.opblock').count(), operations.length);

    const health = page.locator('#operations-health-getHealth');
    await health.locator('.opblock-summary-control').click();
    await health.getByRole('button', { name: 'Try it out' }).click();
    await health.getByRole('button', { name: 'Execute' }).click();
    await health.locator('.live-responses-table', { hasText: '"service": "online"' }).waitFor();

    t.same(complaints, [], 'its policy forbids nothing that the page does');
    const elsewhere = requested.filter(
      (url) => !url.startsWith(`http://127.0.0.1:${app.port}/`) && !url.startsWith('data:'),
    );
    t.same(elsewhere, [], 'nothing is asked of anybody else');
  },
);

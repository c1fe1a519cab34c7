import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { startApp } from '../support/app.ts';
import { noteOf, request as send, upload } from '../support/http.ts';

const PREFIX = '/some/notes';

/** A proxy that passes on what is below the prefix, without it. @returns where it listens */
async function startProxy(t: Test, portOf: () => number): Promise<string> {
  const proxy = createServer((req, res) => {
    if (!req.url!.startsWith(`${PREFIX}/`)) {
      res.writeHead(421).end();
      return;
    }
    const { method, headers } = req;
    const path = req.url!.slice(PREFIX.length);
    const passed = request({ port: portOf(), method, path, headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    req.pipe(passed);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

t.test('behind a proxy that takes a path away, every link leads back through it', async (t) => {
  let port = 0;
  const origin = await startProxy(t, () => port);
  const base = `${origin}${PREFIX}`;
  const app = await startApp(t, { env: { PUBLIC_URL: `${base}/` } });
  port = app.port;
  const get = (url: string | URL) => fetch(url, { headers: { Connection: 'close' } });

  const made = await fetch(`${base}/note`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Connection: 'close' },
    body: JSON.stringify(noteOf('a/b')),
  });
  t.equal(made.headers.get('location'), `${base}/note/a%2Fb`);
  t.equal((await get(made.headers.get('location')!)).status, 200);

  const uploaded = await fetch(`${base}/file`, { method: 'POST', ...upload() });
  t.equal((await get(uploaded.headers.get('location')!)).status, 200);
  const { servers } = (await (await get(`${base}/openapi.json`)).json()) as { servers: unknown };
  t.strictSame(servers, [{ url: base }]);

  for (const page of ['/docs', '/ops']) {
    const text = await (await get(`${base}${page}`)).text();
    const named = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
    const links = named.filter((url) => !url.startsWith('data:'));
    t.ok(links.length >= 4, page);
    for (const link of links)
      t.equal((await get(new URL(link, `${base}${page}`))).status, 200, `${page} ${link}`);
  }
});

t.test('the scripts of the pages find what they need beside themselves', async (t) => {
  const app = await startApp(t);
  const script = await app.call('GET', '/docs/init.js');
  let url = '';
  const bundle = (options: { url: string }) => {
    url = options.url;
  };
  const SwaggerUIBundle = Object.assign(bundle, { presets: {} });
  const document = { currentScript: { src: `https://example.org${PREFIX}/docs/init.js` } };
  runInNewContext(script.text, { SwaggerUIBundle, document, URL });
  t.equal(url, `https://example.org${PREFIX}/openapi.json`);
  const names = ['ops.js', 'view.js', 'charts.js', 'stream.js', 'ops.css'];
  for (const name of names) t.notMatch((await app.call('GET', `/ops/${name}`)).text, /['"(]\/\w/, name);
});

t.test('a PUBLIC_URL with characters that no header holds is written as a URL has them', async (t) => {
  const { port } = await startApp(t, { env: { PUBLIC_URL: 'https://例え.example/ü' } });
  const { status, headers } = await send(`http://127.0.0.1:${port}/note`, {
    method: 'POST',
    body: noteOf('a'),
  });
  t.same([status, headers.location], [201, 'https://xn--r8jz45g.example/%C3%BC/note/a']);
});

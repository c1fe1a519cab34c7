import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { RouterContext } from '@koa/router';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import type { Feature, Routes } from '../../feature.ts';
import { version } from '../../version.ts';
import { PAGE_POLICY } from '../page-policy.ts';

/** What of Swagger UI is served, by name; nothing else of its package can be asked for. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ninelives API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`;

const INIT_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/**
 * `GET /openapi.json`: the description of the API. `GET /docs`: Swagger UI, which shows it. Both are made when they
 * are first asked for: most workers' lives pass without.
 */
export function openApiRoutes(route: Routes, features: readonly Feature[], config: Config): void {
  let document: Promise<{ text: string; etag: string }> | undefined;

  route.get('/openapi.json', 'public', async (ctx) => {
    document ??= render(features, config).catch((error) => {
      // The next one may have better luck.
      document = undefined;
      throw error;
    });
    const { text, etag } = await document;
    send(ctx, 'application/json', etag, text);
  });

  route.get('/docs', 'public', (ctx) => {
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    send(ctx, 'text/html; charset=utf-8', etagOf(PAGE), PAGE);
  });

  route.get('/docs/:file', 'public', async (ctx) => {
    const name = ctx.params.file!;
    if (name === 'init.js') {
      send(ctx, 'text/javascript; charset=utf-8', etagOf(INIT_SCRIPT), INIT_SCRIPT);
      return;
    }
    if (!Object.hasOwn(ASSETS, name)) throw new Failure('not_found', 'There is no such file');
    const file = new URL(name, import.meta.resolve('swagger-ui-dist/package.json'));
    const { size, mtimeMs } = await stat(file);
    send(
      ctx,
      ASSETS[name]!,
      `"${version}-${size}-${Math.floor(mtimeMs)}"`,
      () => createReadStream(file),
      size,
    );
  });
}

async function render(features: readonly Feature[], config: Config): Promise<{ text: string; etag: string }> {
  const { describeApi } = await import('./describe.ts');
  const text = JSON.stringify(await describeApi(features, config));
  // Weak, so that it may be compressed: RFC 9110 8.8.3.3.
  return { text, etag: `W/${etagOf(text)}` };
}

function etagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url')}"`;
}

function send(
  ctx: RouterContext,
  type: string,
  etag: string,
  body: string | (() => NodeJS.ReadableStream),
  sizeBytes?: number,
): void {
  ctx.status = 200;
  // To be asked for again each time: another version may be behind this address by then.
  ctx.set({ ETag: etag, 'Cache-Control': 'no-cache', 'Content-Type': type });
  if (ctx.fresh) ctx.status = 304;
  else if (typeof body === 'string') ctx.body = body;
  else if (ctx.method === 'HEAD') ctx.length = sizeBytes!;
  else {
    ctx.body = body();
    ctx.set('Content-Type', type);
    ctx.length = sizeBytes!;
  }
}

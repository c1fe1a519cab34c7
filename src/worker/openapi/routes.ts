import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Routes } from '../../contract/feature.ts';
import { Failure } from '../../errors.ts';
import { version } from '../../version.ts';
import { escapeHtml } from '../escape-html.ts';
import { PAGE_POLICY } from '../page-policy.ts';
import { contentTag, sendFile, sendPage, sendTagged } from '../send-file.ts';
import type { DescribedApi } from './describe.ts';

/** What of Swagger UI is served, by name; nothing else of its package can be asked for. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const page = (title: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/init.js"></script>
</body>
</html>
`;

// Beside the folder of this script, whatever path a proxy takes away.
const INIT_SCRIPT = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/**
 * `GET /openapi.json`: the description of the API. `GET /docs`: Swagger UI, which shows it. Both are made when they
 * are first asked for: most workers' lives pass without.
 */
export function openApiRoutes(route: Routes, api: DescribedApi): void {
  const text = page(escapeHtml(api.about.title));
  let document: Promise<{ text: string; etag: string }> | undefined;

  route.get('/openapi.json', 'public', async (ctx) => {
    document ??= render(api).catch((error) => {
      // The next one may have better luck.
      document = undefined;
      throw error;
    });
    const { text, etag } = await document;
    sendTagged(ctx, 'application/json', etag, text);
  });

  route.get('/docs', 'public', (ctx) => {
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    sendPage(ctx, 'docs', text);
  });

  route.get('/docs/:file', 'public', async (ctx) => {
    const name = ctx.params.file!;
    if (name === 'init.js') {
      sendFile(ctx, 'text/javascript; charset=utf-8', INIT_SCRIPT);
      return;
    }
    if (!Object.hasOwn(ASSETS, name)) throw new Failure('not_found', 'There is no such file');
    const file = new URL(name, import.meta.resolve('swagger-ui-dist/package.json'));
    const { size, mtimeMs } = await stat(file);
    // The bundle is large: neither held nor hashed.
    const body = () => createReadStream(file);
    const etag = `"${version}-${size}-${Math.floor(mtimeMs)}"`;
    sendTagged(ctx, ASSETS[name]!, etag, { body, sizeBytes: size });
  });
}

async function render(api: DescribedApi): Promise<{ text: string; etag: string }> {
  const { describeApi } = await import('./describe.ts');
  const text = JSON.stringify(await describeApi(api));
  // Weak, so that it may be compressed: RFC 9110 8.8.3.3.
  return { text, etag: `W/${contentTag(text)}` };
}

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import type { App } from '../../contract/app.ts';
import { routesWith } from '../../contract/route.ts';
import { Failure } from '../../platform/errors.ts';
import { version } from '../../platform/version.ts';
import { escapeHtml } from '../escape-html.ts';
import { PAGE_POLICY } from '../page-policy.ts';
import {
  contentTag,
  IF_NONE_MATCH,
  NOT_MODIFIED,
  PAGE_ANSWERS,
  sendFile,
  sendPage,
  sendTagged,
} from '../send-file.ts';
import type { OpenApiDocument } from './document.ts';

/** The files of Swagger UI that are served, by name; nothing else of its package is. */
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

// The URL is relative to this script's, so that it works behind a proxy that strips a path.
const INIT_SCRIPT = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/** What these routes get. */
export interface ToDescribe {
  readonly about: Pick<App, 'title' | 'description'>;
  /** Describes the whole API. */
  readonly describe: () => Promise<OpenApiDocument>;
}

const defineRoute = routesWith<ToDescribe>();

/**
 * `GET /openapi.json`: the description of the API. `GET /docs`: Swagger UI, which shows it. The description is made at
 * the first request for it, since most workers never need it.
 */
export const openApiRoutes = [
  defineRoute({
    method: 'get',
    path: '/openapi.json',
    scope: 'public',
    rate: 'public',
    id: 'getDescription',
    summary: 'This description',
    headers: IF_NONE_MATCH,
    answers: {
      200: {
        description: 'An OpenAPI 3.1 document.',
        content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } },
        headers: { ETag: 'Names this version of it.' },
      },
      304: NOT_MODIFIED,
    },
    prepare({ describe }) {
      let document: Promise<{ text: string; etag: string }> | undefined;
      return async (ctx) => {
        document ??= render(describe).catch((error) => {
          // Forget the failed attempt: the next request tries again.
          document = undefined;
          throw error;
        });
        const { text, etag } = await document;
        sendTagged(ctx, 'application/json', etag, text);
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/docs',
    scope: 'public',
    rate: 'public',
    id: 'getDocs',
    summary: 'This description as a page',
    headers: IF_NONE_MATCH,
    answers: PAGE_ANSWERS,
    prepare({ about }) {
      const text = page(escapeHtml(about.title));
      return (ctx) => {
        ctx.set('Content-Security-Policy', PAGE_POLICY);
        sendPage(ctx, 'docs', text);
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/docs/:file',
    scope: 'public',
    rate: 'public',
    id: 'getDocsFile',
    summary: 'A file of that page',
    params: {
      file: { schema: z.string(), description: 'The name of the file.', example: 'swagger-ui.css' },
    },
    headers: IF_NONE_MATCH,
    answers: {
      200: {
        description: 'The file.',
        content: { 'text/css': {}, 'text/javascript': {}, 'image/png': {} },
      },
      304: NOT_MODIFIED,
    },
    errors: ['not_found'],
    prepare:
      () =>
      async (ctx, { params: { file: name } }) => {
        if (name === 'init.js') {
          sendFile(ctx, 'text/javascript; charset=utf-8', INIT_SCRIPT);
          return;
        }
        if (!Object.hasOwn(ASSETS, name)) throw new Failure('not_found', 'There is no such file');
        const file = new URL(name, import.meta.resolve('swagger-ui-dist/package.json'));
        const { size, mtimeMs } = await stat(file);
        // The bundle is large, so it is neither kept in memory nor hashed.
        const body = () => createReadStream(file);
        const etag = `"${version}-${size}-${Math.floor(mtimeMs)}"`;
        sendTagged(ctx, ASSETS[name]!, etag, { body, sizeBytes: size });
      },
  }),
];

async function render(describe: ToDescribe['describe']): Promise<{ text: string; etag: string }> {
  const text = JSON.stringify(await describe());
  // A weak tag, so that the answer may be compressed: RFC 9110 8.8.3.3.
  return { text, etag: `W/${contentTag(text)}` };
}

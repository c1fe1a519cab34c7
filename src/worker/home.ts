import { type RouteDeclaration, routesWith } from '../contract/route.ts';
import { escapeHtml } from './escape-html.ts';
import { PAGE_POLICY } from './page-policy.ts';
import { IF_NONE_MATCH, PAGE_ANSWERS, sendFile } from './send-file.ts';

/** Links are relative, so that they work behind a proxy that strips a path. Nothing here is for the operator. */
const page = (title: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>${title}</h1>
<p>An HTTP API runs here. <a href="docs">Its documentation</a>, and <a href="openapi.json">its description</a> for programs.</p>
</body>
</html>
`;

const defineRoute = routesWith<{ readonly about: { readonly title: string } }>();

/** `GET /`: a page that says what this is. If a feature has its own route there, that is served instead. */
export const home = defineRoute({
  method: 'get',
  path: '/',
  scope: 'public',
  rate: 'public',
  id: 'getHome',
  summary: 'A page that says what this is',
  headers: IF_NONE_MATCH,
  answers: PAGE_ANSWERS,
  prepare({ about }) {
    const text = page(escapeHtml(about.title));
    return (ctx) => {
      ctx.set('Content-Security-Policy', PAGE_POLICY);
      sendFile(ctx, 'text/html; charset=utf-8', text);
    };
  },
});

/** @returns whether one of these routes replaces our page at `GET /` */
export function hasHome(routes: readonly RouteDeclaration[]): boolean {
  return routes.some(({ method, path }) => method === home.method && path === home.path);
}

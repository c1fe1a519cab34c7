import { type RouteDeclaration, routesWith } from '../contract/route.ts';
import { escapeHtml } from './escape-html.ts';
import { PAGE_POLICY } from './page-policy.ts';
import { IF_NONE_MATCH, PAGE_ANSWERS, sendFile } from './send-file.ts';

/** Links are relative, so that they hold under whatever path a proxy takes away. Nothing here is for the operator. */
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

/** `GET /`: what this is, for whoever opens the address. Where a feature has a page of its own there, that is served. */
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

/** @returns whether one of these routes is a page at the place of ours */
export function hasHome(routes: readonly RouteDeclaration[]): boolean {
  return routes.some(({ method, path }) => method === home.method && path === home.path);
}

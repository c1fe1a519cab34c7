import type { Routes } from '../contract/feature.ts';
import { escapeHtml } from './escape-html.ts';
import { PAGE_POLICY } from './page-policy.ts';
import { sendFile } from './send-file.ts';

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

/** `GET /`: what this is, for whoever opens the address. Registered last, so that one of a feature goes before it. */
export function homeRoute(route: Routes, title: string): void {
  const text = page(escapeHtml(title));
  route.get('/', 'public', (ctx) => {
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    sendFile(ctx, 'text/html; charset=utf-8', text);
  });
}

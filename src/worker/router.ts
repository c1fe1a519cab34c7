import { createRequire } from 'node:module';

/** Loaded by `require`, for the reason given in node-http.ts: the router's ES module imports `node:http`. */
export const Router = createRequire(import.meta.url)('@koa/router') as typeof import('@koa/router').default;

import { createRequire } from 'node:module';

/** By `require`, for the reason that node-http.ts tells: the router's ES module imports `node:http`. */
export const Router = createRequire(import.meta.url)('@koa/router') as typeof import('@koa/router').default;

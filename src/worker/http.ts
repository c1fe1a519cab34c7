import { createRequire } from 'node:module';

/**
 * Node's HTTP and the router, by `require`: an `import` of `node:http` reads everything that it exports, and its
 * WebSocket loads fetch and all that belongs to it, 27 ms and 12 MB for each worker. The router's ES module does that.
 */
const require = createRequire(import.meta.url);

export const { createServer, STATUS_CODES } = require('node:http') as typeof import('node:http');
export const Router = require('@koa/router') as typeof import('@koa/router').default;

import { createRequire } from 'node:module';

/**
 * Node's HTTP, by `require`: an `import` of `node:http` reads everything that it exports, and its WebSocket loads
 * fetch and all that belongs to it, 27 ms and 12 MB in each process.
 */
export const http = createRequire(import.meta.url)('node:http') as typeof import('node:http');

import { createRequire } from 'node:module';

/**
 * Node's HTTP, by `require`: an `import` of `node:http` reads everything that it exports, and its WebSocket loads
 * fetch and all that belongs to it, 27 ms and 12 MB in each process.
 */
const require = createRequire(import.meta.url);

export const http = require('node:http') as typeof import('node:http');

/** Loaded when it is asked for: TLS takes 7 ms, and most processes never need it. */
export function https(): typeof import('node:https') {
  return require('node:https');
}

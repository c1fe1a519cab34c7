import { createRequire } from 'node:module';

/**
 * Node's HTTP, by `require`: an `import` of `node:http` reads everything that it exports, and its WebSocket loads
 * fetch and all that belongs to it, 27 ms and 12 MB in each process.
 */
const require = createRequire(import.meta.url);

/** Loaded when it is asked for, as TLS: it takes 10 ms, and a process that serves nobody needs it for some stores only. */
export function http(): typeof import('node:http') {
  return require('node:http');
}

/** Loaded when it is asked for: TLS takes 7 ms, and most processes never need it. */
export function https(): typeof import('node:https') {
  return require('node:https');
}

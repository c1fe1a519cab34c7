import { createRequire } from 'node:module';

/**
 * Node's HTTP is loaded by `require`. An `import` of `node:http` reads each of its exports, and the export WebSocket
 * loads fetch and its parts: 27 ms and 12 MB in each process.
 */
const require = createRequire(import.meta.url);

/** Loaded on demand, as is TLS: it takes 10 ms, and a process that serves no HTTP needs it only for some stores. */
export function http(): typeof import('node:http') {
  return require('node:http');
}

/** Loaded on demand: TLS takes 7 ms, and most processes never need it. */
export function https(): typeof import('node:https') {
  return require('node:https');
}

import { flushCompileCache } from 'node:module';

/**
 * Writes the code that this process has stripped and compiled so far to the cache, for processes that start later.
 * Node.js does so only at a clean exit, and a child rarely has one: without this each successor of a killed worker
 * would strip and compile everything anew, at the cost of time and memory. Does nothing when everything is in the cache
 * already.
 */
export function keepCompiledCode(): void {
  // Later, so that the readiness of this process does not wait for the files.
  setImmediate(flushCompileCache);
}

import { flushCompileCache } from 'node:module';

/**
 * Keeps what this process has stripped and compiled so far for those that start after it. Node.js does so only at a
 * clean exit, and a child rarely has one: without this every successor of a killed worker would strip and compile
 * everything anew, with the time and the memory that takes. Does nothing when everything is kept already.
 */
export function keepCompiledCode(): void {
  // What waits for this process to be ready does not wait for the files.
  setImmediate(flushCompileCache);
}

/**
 * @returns a command and its arguments, to spawn without what the test runner loads into each Node.js process: a tenth of a
 *   second of a processor, and a file in its own folder. The process id is the command's own.
 */
export function bare(command: string, args: readonly string[]): [command: string, args: string[]] {
  return ['env', ['--unset=NODE_OPTIONS', command, ...args]];
}

import { isAbsolute, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';

/**
 * @param args what follows the command's name
 * @param options as `parseArgs` of node:util takes them
 * @param usage shown when the arguments are wrong
 * @returns the value of each option that was given
 * @throws Failure usage
 */
export function readArguments<const Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
  usage: string,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new Failure('usage', `${(error as Error).message}\n\n${usage}`);
  }
}

/**
 * @param path one of the arguments
 * @returns the absolute path
 * @throws Failure usage where the path is relative and the working directory is gone, and for an empty path, as from an
 *   unset variable
 */
export function absolutePath({ cwd }: Invocation, path: string): string {
  if (path === '') throw new Failure('usage', 'Expected a path, and an empty one was given');
  if (cwd !== undefined) return resolve(cwd, path);
  if (isAbsolute(path)) return resolve(path);
  throw new Failure('usage', `The working directory was removed: give ${path} as an absolute path`);
}

// Plain JavaScript, as tree.js.
import { basename, join } from 'node:path';

/** Name of the chassis below node_modules. */
export const PACKAGE = 'ninelives';
/** The chassis' code in its repository: TypeScript, which Node.js runs directly. */
export const SOURCES = 'src';
/** The chassis' code in its package: below node_modules Node.js runs no TypeScript. */
export const EMITTED = '.build';

/**
 * @typedef {object} Chassis
 * @property {string} folder absolute, of a release
 * @property {string} code the chassis' code below it: ends with SOURCES or EMITTED
 *
 * @param {Chassis} chassis
 * @param {string} module of the chassis, as it is called in its repository: `worker/main.ts`
 * @returns {string} its path, absolute
 */
export function moduleIn({ folder, code }, module) {
  const name = basename(code) === EMITTED ? module.replace(/\.ts$/, '.js') : module;
  return join(folder, code, name);
}

/**
 * @param {{ folder: string, app?: string | undefined }} release
 * @returns {NodeJS.ProcessEnv} tells the release's processes where its app is, which features/features.ts loads
 */
export function appVariables({ folder, app }) {
  return app
    ? { NINELIVES_PROJECT: folder, NINELIVES_APP: app }
    : { NINELIVES_PROJECT: undefined, NINELIVES_APP: undefined };
}

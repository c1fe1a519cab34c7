import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EMITTED } from '../supervisor/release/modules.js';

// To be imported first: later modules look for the app where these variables say, as in a process of a release.

/** The project that this test belongs to; undefined in the chassis' own repository. */
export const project = basename(dirname(import.meta.dirname)) === EMITTED ? find(process.cwd()) : undefined;
if (project !== undefined) {
  process.env.NINELIVES_PROJECT = project.folder;
  process.env.NINELIVES_APP = project.app;
}

const REPOSITORY = join(import.meta.dirname, '../..');
const named =
  project ?? (process.env.NINELIVES_APP && { folder: REPOSITORY, app: process.env.NINELIVES_APP });

/** Arguments that make a command use the app under test; empty when package.json names that app. */
export const APP_ARGUMENTS: readonly string[] = named ? ['--app', join(named.folder, named.app)] : [];

function find(start: string): { readonly folder: string; readonly app: string } {
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    const app = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).ninelives?.app : undefined;
    if (typeof app === 'string') return { folder, app };
    if (folder === dirname(folder))
      throw new Error(
        `Run the tests in the project's folder: ${start} has no package.json with ninelives.app`,
      );
  }
}

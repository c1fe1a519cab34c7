import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { App } from './contract/app.ts';
import { checkApp } from './contract/check.ts';
import type { Feature } from './contract/feature.ts';
import type { AppManifest } from './contract/manifest.ts';
import { addCodes, Failure } from './errors.ts';
import { keys } from './keys/feature.ts';

// The only place where the chassis and an app meet. The primary never loads it: it outlives the releases, and their code.

const ROOT = new URL('../', import.meta.url);
const NO_APP: App = { title: 'ninelives', description: 'An API without an app.', features: [] };

/** What runs on the chassis: package.json names its module as `ninelives.app`. */
export const app: App = await loadApp();
addCodes(app.codes ?? {});

/** The chassis' own, then the app's. */
export const features: readonly Feature[] = [keys, ...app.features];

/** @returns the names of the database files that the features use, each once, in order. */
export function databaseNames(): readonly string[] {
  return [...new Set(features.map((feature) => feature.database))];
}

/**
 * @returns what the primary has to know of the app
 * @throws Failure app_invalid for an app that may not start
 */
export async function describeApp(): Promise<AppManifest> {
  await checkApp(app, String(appPath()));
  const root = fileURLToPath(ROOT);
  const settings = await Promise.all(features.map(async (feature) => (await feature.settings?.()) ?? {}));
  return {
    databases: databaseNames(),
    backgrounds: features.flatMap(({ background = [] }) =>
      background.map(({ name, entry, secrets }) => ({
        name,
        entry: relative(root, fileURLToPath(entry)),
        secrets,
      })),
    ),
    codes: app.codes ?? {},
    settings: settings
      .flatMap((own) => Object.entries(own))
      .map(([name, { changes, takenBy }]) => ({ name, changes, ...(takenBy && { takenBy }) })),
  };
}

function appPath(): unknown {
  const text = readFileSync(new URL('package.json', ROOT), 'utf8');
  return (JSON.parse(text) as { ninelives?: { app?: unknown } }).ninelives?.app;
}

async function loadApp(): Promise<App> {
  const path = appPath();
  if (path === undefined) return NO_APP;
  const refuse = (reason: string, cause?: unknown): never => {
    throw new Failure('app_invalid', `package.json names ${String(path)} as ninelives.app, and ${reason}`, {
      cause,
    });
  };
  if (typeof path !== 'string') return refuse('expected is the path of a module');
  const { default: found } = (await import(new URL(path, ROOT).href)) as { default?: App };
  if (!Array.isArray(found?.features))
    return refuse('that module exports no app as default: defineApp makes one');
  return found;
}

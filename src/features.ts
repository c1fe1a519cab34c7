import { realpathSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { App } from './contract/app.ts';
import type { Feature } from './contract/feature.ts';
import type { AppManifest } from './contract/manifest.ts';
import { keys } from './keys/feature.ts';
import type { Families } from './metrics/catalog.ts';
import { addCodes, Failure } from './platform/errors.ts';
import { packageIn } from './platform/folder.js';

// The only place where the chassis and an app meet. The primary never loads it: it outlives the releases, and their code.

/**
 * Those of the project that has the chassis as a package; without them the app is named by the chassis' own. Of a command that
 * goes without an app its name is empty.
 */
const { NINELIVES_PROJECT: PROJECT = fileURLToPath(new URL('../', import.meta.url)), NINELIVES_APP } =
  process.env;
const NO_APP: App = { title: 'ninelives', description: 'An API without an app.', features: [] };

/** Whether this process goes without the app that there is. */
export const isWithoutApp = NINELIVES_APP === '';
/** What runs on the chassis: package.json names its module as `ninelives.app`, unless `--app` does. */
export const app: App = await loadApp();
/** The chassis' own, then the app's. */
export const features: readonly Feature[] = [keys, ...app.features];

const codes: AppManifest['codes'] = Object.assign({}, ...features.map((feature) => feature.codes));
addCodes(codes);

/** What the features count. A gauge is each process' own. */
export const appMetrics: Families = Object.fromEntries(
  features
    .flatMap(({ metrics = {} }) => Object.entries(metrics))
    .map(([name, { unit: _, ...family }]) => [
      name,
      { labels: [], ...family, ...(family.type === 'gauge' && { isPerChild: true }) },
    ]),
);

/** @returns the names of the database files that the features use, each once, in order. */
export function databaseNames(): readonly string[] {
  return [...new Set(features.map((feature) => feature.database))];
}

/**
 * @returns what the primary has to know of the app
 * @throws Failure app_invalid for an app that may not start
 */
export async function describeApp(): Promise<AppManifest> {
  // Only here: no process but the one that describes a release has use for all of them.
  const { CHASSIS_ROUTES } = await import('./worker/chassis-routes.ts');
  const { checkApp } = await import('./contract/check.ts');
  await checkApp(app, String(appPath()), Object.values(CHASSIS_ROUTES).flat());
  // A package has JavaScript.
  const main = join(import.meta.dirname, `background/main${extname(import.meta.filename)}`);
  const entry = relative(realpathSync(PROJECT), main);
  const settings = await Promise.all(features.map(async (feature) => (await feature.settings?.()) ?? {}));
  return {
    databases: databaseNames(),
    backgrounds: features.flatMap(({ background = [] }) =>
      background.map(({ name, secrets = [] }) => ({ name, entry, secrets })),
    ),
    codes,
    metrics: appMetrics,
    settings: settings
      .flatMap((own) => Object.entries(own))
      .map(([name, { changes, takenBy }]) => ({ name, changes, ...(takenBy && { takenBy }) })),
  };
}

function appPath(): unknown {
  if (NINELIVES_APP !== undefined) return NINELIVES_APP;
  return packageIn(PROJECT).ninelives?.app;
}

async function loadApp(): Promise<App> {
  const path = appPath();
  if (path === undefined || isWithoutApp) return NO_APP;
  const refuse = (reason: string): never => {
    throw new Failure(
      'app_invalid',
      `The app is ${String(path)}, by ninelives.app in package.json or --app, and ${reason}`,
    );
  };
  if (typeof path !== 'string') return refuse('expected is the path of a module');
  const { default: found } = (await import(pathToFileURL(join(PROJECT, path)).href)) as { default?: App };
  if (!Array.isArray(found?.features))
    return refuse('that module exports no app as default: defineApp makes one');
  return found;
}

import { realpathSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { App } from '../contract/app.ts';
import type { Feature } from '../contract/feature.ts';
import type { AppManifest } from '../contract/manifest.ts';
import type { RouteDeclaration } from '../contract/route.ts';
import { keys } from '../keys/feature.ts';
import type { Families } from '../metrics/catalog.ts';
import { addCodes, Failure } from '../platform/errors.ts';
import { packageIn } from '../platform/folder.js';

// The only place where the chassis and an app meet. The primary never loads it, since the primary outlives releases.

/**
 * The project's folder and its app's module, where the chassis is a package of a project. Otherwise the chassis' own
 * package.json names the app. An empty NINELIVES_APP is for a command that goes without the app.
 */
const { NINELIVES_PROJECT: PROJECT = fileURLToPath(new URL('../../', import.meta.url)), NINELIVES_APP } =
  process.env;
const NO_APP: App = { title: 'ninelives', description: 'An API without an app.', features: [] };

/** Whether this process goes without the app, though there is one. */
export const isWithoutApp = NINELIVES_APP === '';
/** The app on the chassis. package.json names its module as `ninelives.app`, unless `--app` does. */
export const app: App = await loadApp();
/** The chassis' own features, then the app's. */
export const features: readonly Feature[] = [keys, ...app.features];

const codes: AppManifest['codes'] = Object.assign({}, ...features.map((feature) => feature.codes));
addCodes(codes);

/** The metrics of the features. Each process has its own value of a gauge. */
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
 * @param ofChassis the routes that the app's may not clash with
 * @returns what the primary has to know of the app
 * @throws Failure app_invalid for an app that may not start
 */
export async function describeApp(ofChassis: readonly RouteDeclaration[]): Promise<AppManifest> {
  // Imported here: only the process that describes a release needs it.
  const { checkApp } = await import('../contract/check.ts');
  await checkApp(app, String(appPath()), ofChassis);
  // JavaScript in a package, TypeScript in the repository.
  const main = join(import.meta.dirname, `../background/main${extname(import.meta.filename)}`);
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

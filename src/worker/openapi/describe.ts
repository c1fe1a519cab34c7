import type { Config } from '../../config/config.ts';
import { publicBaseOf } from '../../config/public-url.ts';
import type { App } from '../../contract/app.ts';
import type { Feature } from '../../contract/feature.ts';
import type { RouteDeclaration } from '../../contract/route.ts';
import { version } from '../../platform/version.ts';
import { CHASSIS_ROUTES } from '../chassis-routes.ts';
import { hasHome, home } from '../home.ts';
import { buildDocument, type OpenApiDocument } from './document.ts';

/** @returns the declarations of all routes, by their feature or part of the chassis */
export async function describeRoutes(
  features: readonly Feature[],
): Promise<Readonly<Record<string, readonly RouteDeclaration[]>>> {
  const loaded = features.map(async ({ name, routes }) => [name, await routes()] as const);
  const ofFeatures: readonly (readonly [string, readonly RouteDeclaration[]])[] = await Promise.all(loaded);
  const isHomeTheirs = hasHome(ofFeatures.flatMap(([, routes]) => routes));
  const ofChassis = Object.entries(CHASSIS_ROUTES).map(([tag, routes]): [string, typeof routes] => [
    tag,
    isHomeTheirs ? routes.filter((route) => route !== home) : routes,
  ]);
  return Object.fromEntries([...ofFeatures, ...ofChassis]);
}

/** What the description is made from. */
export interface DescribedApi {
  readonly about: Pick<App, 'title' | 'description'>;
  readonly features: readonly Feature[];
  readonly config: Pick<Config, 'PUBLIC_URL'>;
}

/** @returns the description of the whole API */
export async function describeApi({ about, features, config }: DescribedApi): Promise<OpenApiDocument> {
  const url = publicBaseOf(config) ?? '/';
  return buildDocument(await describeRoutes(features), { about, version, url });
}

import type { Config } from '../../config.ts';
import type { App } from '../../contract/app.ts';
import type { Feature } from '../../contract/feature.ts';
import { publicBaseOf } from '../../public-url.ts';
import { version } from '../../version.ts';
import { chassisRoutes, homeDescription } from './description.ts';
import { buildDocument, type OpenApiDocument } from './document.ts';
import type { RouteDescription } from './route-description.ts';

/** Every description, by the feature or the part of the chassis that it belongs to. */
export async function describeRoutes(
  features: readonly Feature[],
): Promise<Readonly<Record<string, readonly RouteDescription[]>>> {
  const described = features.map(async ({ name, describe }) => [name, (await describe?.()) ?? []] as const);
  const ofFeatures = Object.fromEntries(await Promise.all(described));
  const hasHome = Object.values(ofFeatures).some((routes) =>
    routes.some(({ method, path }) => method === 'get' && path === homeDescription.path),
  );
  const docs = [...(hasHome ? [] : [homeDescription]), ...chassisRoutes.docs];
  return { ...ofFeatures, ...chassisRoutes, docs };
}

/** What there is to describe. */
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

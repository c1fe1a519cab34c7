import type { Feature } from './feature.ts';

/** What is put on the chassis: package.json names its module as `ninelives.app`, which exports it as default. */
export interface App {
  /** A name, for titles. */
  readonly title: string;
  /** What it is for, in a sentence or two; begins the description of the API. */
  readonly description: string;
  /** In the order in which their migrations are applied. */
  readonly features: readonly Feature[];
}

/** @returns `app` unchanged, with its types checked */
export function defineApp(app: App): App {
  return app;
}

/** @returns `feature` unchanged, with its types checked */
export function defineFeature(feature: Feature): Feature {
  return feature;
}

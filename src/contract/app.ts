import type { Feature } from './feature.ts';

/** An application on the chassis. Its module, which package.json names as `ninelives.app`, exports it as default. */
export interface App {
  /** The name of the app, for titles. */
  readonly title: string;
  /** What the app is for, in a sentence or two. The description of the API begins with it. */
  readonly description: string;
  /** The features, in the order in which their migrations are applied. */
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

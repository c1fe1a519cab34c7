import type { AppManifest } from '../../contract/manifest.ts';

/**
 * Loads the app and the chassis' routes, which the primary never does: for the scripts that describe a release, and for
 * commands.
 * @returns what the primary has to know of the app
 * @throws Failure app_invalid for an app that may not start
 */
export async function describedApp(): Promise<AppManifest> {
  const { describeApp } = await import('../../features/features.ts');
  const { CHASSIS_ROUTES } = await import('../../worker/chassis-routes.ts');
  return describeApp(Object.values(CHASSIS_ROUTES).flat());
}

import type { RouteDeclaration } from '../contract/route.ts';
import { home } from './home.ts';
import { probes } from './middleware/probes.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { opsRoutes } from './ops/routes.ts';

/** What every system serves, by the tags of the API's description. A feature may have a page of its own in place of `home`. */
export const CHASSIS_ROUTES: Readonly<Record<string, readonly RouteDeclaration[]>> = {
  health: probes,
  docs: [home, ...openApiRoutes],
  operations: opsRoutes,
};

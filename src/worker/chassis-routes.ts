import type { RouteDeclaration } from '../contract/route.ts';
import { home } from './home.ts';
import { probes } from './middleware/probes.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { opsRoutes } from './ops/routes.ts';

/** The routes that every system serves, by their tags in the API's description. A feature may replace `home`. */
export const CHASSIS_ROUTES: Readonly<Record<string, readonly RouteDeclaration[]>> = {
  health: probes,
  docs: [home, ...openApiRoutes],
  operations: opsRoutes,
};

import type { FieldError } from '../platform/errors.ts';
import type { App } from './app.ts';
import type { RouteDeclaration } from './route.ts';

const COMMAND_NAME = /^[a-z][A-Za-z0-9]*$/;
const PARAMETER = /:(\w+)/g;

/** A route, and where it is declared. */
interface Place {
  readonly route: RouteDeclaration;
  readonly field: string;
}

/**
 * Looks for routes that are declared twice, or that hide a route of the chassis.
 * @param chassis the routes that every system serves; of these an app may replace only `GET /`
 * @returns the mistakes
 */
export async function mistakesInRoutes(
  { features }: App,
  chassis: readonly RouteDeclaration[],
): Promise<FieldError[]> {
  const own = await Promise.all(
    features.map(async ({ name, routes }, index) =>
      (await routes()).map((route) => ({ route, field: `features[${index}] (${name}) ${nameOf(route)}` })),
    ),
  );
  const places = own.flat();
  return places.flatMap(({ route, field }, index) => {
    const message = mistakeIn(route, chassis) ?? doubledIn(route, places.slice(0, index));
    return message === undefined ? [] : [{ field, message }];
  });
}

function mistakeIn(route: RouteDeclaration, chassis: readonly RouteDeclaration[]): string | undefined {
  const { path, id, params = {} } = route;
  if (!path.startsWith('/')) return 'expected a path that begins with /';
  const reserved = chassis.find((one) => one.path !== '/' && firstOf(one.path) === firstOf(path));
  if (reserved !== undefined)
    return `is below ${nameOf(reserved)}, which is the chassis' own; expected another path`;
  const taken = chassis.find((one) => one.id === id);
  if (taken !== undefined)
    return `its id ${id} is that of ${nameOf(taken)}, which is the chassis' own; expected another id`;
  const inPath = [...path.matchAll(PARAMETER)].map(([, name]) => name!);
  const undeclared = inPath.find((name) => !Object.hasOwn(params, name));
  if (undeclared !== undefined) return `its parameter ${undeclared} is not among its params`;
  const absent = Object.keys(params).find((name) => !inPath.includes(name));
  return absent === undefined ? undefined : `its params name ${absent}, which its path does not have`;
}

function doubledIn(route: RouteDeclaration, before: readonly Place[]): string | undefined {
  const same = before.find((other) => shapeOf(other.route) === shapeOf(route));
  if (same !== undefined) return `is served by ${same.field}, too; expected another path or method`;
  const namesake = before.find((other) => other.route.id === route.id);
  return namesake && `its id ${route.id} is that of ${namesake.field}, too; expected another id`;
}

/** @returns the wrong names of commands. Those of two features never collide: the feature's name is part of them. */
export async function mistakesInCommands({ features }: App): Promise<FieldError[]> {
  const own = await Promise.all(
    features.map(async ({ name, commands }, index) =>
      Object.keys(await commands())
        .filter((command) => !COMMAND_NAME.test(command))
        .map((command) => ({
          field: `features[${index}] (${name}) commands.${command}`,
          message: 'expected a name of letters and digits that begins with a lower-case one',
        })),
    ),
  );
  return own.flat();
}

function nameOf({ method, path }: RouteDeclaration): string {
  return `${method.toUpperCase()} ${path}`;
}

function firstOf(path: string): string | undefined {
  return path.split('/')[1];
}

/** Two routes that differ only in the names of parameters take the same requests. */
function shapeOf(route: RouteDeclaration): string {
  return nameOf(route).replace(PARAMETER, ':');
}

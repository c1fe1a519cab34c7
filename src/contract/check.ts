import { settingNames } from '../config/config.ts';
import { APP_SECRETS } from '../config/secrets.ts';
import { nearest } from '../config/settings-file.ts';
import { Failure, type FieldError } from '../platform/errors.ts';
import type { App } from './app.ts';
import { mistakesInCodes } from './check-codes.ts';
import { mistakesInMetrics } from './check-metrics.ts';
import { mistakesInCommands, mistakesInRoutes } from './check-routes.ts';
import { mistakesAmong } from './declared.ts';
import type { RouteDeclaration } from './route.ts';
import type { Setting } from './settings.ts';

/** Names of features and processes: they are part of the names of commands and files, and of process titles. */
const NAME = /^[a-z][a-z0-9-]*$/;
/** Names that the chassis uses itself for owners of tables and for processes. */
const RESERVED: readonly string[] = [
  'background',
  'contender',
  'drill',
  'dry-run',
  'keys',
  'lease',
  'litestream',
  'mirror',
  'notify',
  'prepare',
  'primary',
  'standby',
  'worker',
  'worker-spare',
  'writer',
];
const RESERVED_FORM = /^worker-|-trial$/;
const SETTING_NAME = /^[A-Z][A-Z0-9_]*$/;
/** Variables that the chassis, Node.js, a service manager or a shell read. */
const RESERVED_SETTING =
  /^(?:NINELIVES|NODE|NPM|AWS|LISTEN|NOTIFY|SSL|LD|LC|XDG)_|^(?:PATH|HOME|USER|SHELL|PWD|LANG|TZ|TERM|TMPDIR|NO_COLOR|NO_PROXY|HTTPS?_PROXY|WATCHDOG_(?:USEC|PID)|INVOCATION_ID)$/;

/**
 * Checks an app before anything starts. Names that two features share, or that belong to the chassis, are mistakes.
 * @param module where the app is defined, for the message
 * @param chassis the routes of the chassis
 * @throws Failure app_invalid with one entry for each mistake
 */
export async function checkApp(
  app: App,
  module: string,
  chassis: readonly RouteDeclaration[],
): Promise<void> {
  const shapes = await shapesIn(app);
  const mistakes =
    shapes.length > 0
      ? shapes
      : [
          ...namesIn(app),
          ...secretsIn(app),
          ...(await settingsIn(app)),
          ...(await mistakesInCommands(app)),
          ...(await mistakesInRoutes(app, chassis)),
          ...mistakesInCodes(app),
          ...mistakesInMetrics(app),
        ];
  if (mistakes.length === 0) return;
  throw new Failure('app_invalid', `The app in ${module} cannot be used`, { errors: mistakes });
}

/** Checks the parts that the other checks need. Types forbid these mistakes, but an app need not be type-checked. */
async function shapesIn({ features }: App): Promise<FieldError[]> {
  const own = await Promise.all(
    features.map(async ({ name, database, migrations, commands, routes }, place) => {
      const loaded = async (load: unknown) => (typeof load === 'function' ? load() : undefined);
      const shapes: [part: string, isRight: boolean, expected: string][] = [
        ['database', NAME.test(database), 'a name of lower-case letters, digits and -'],
        ['migrations', migrations instanceof URL, "new URL('./migrations/', import.meta.url)"],
        ['commands', isRecord(await loaded(commands)), 'a function that loads them, as an object'],
        ['routes', Array.isArray(await loaded(routes)), 'a function that loads them, as an array'],
      ];
      return shapes
        .filter(([, isRight]) => !isRight)
        .map(([part, , expected]) => ({
          field: `features[${place}] (${name}) ${part}`,
          message: `expected ${expected}`,
        }));
    }),
  );
  return own.flat();
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A name close to one of the chassis' is refused too: a release without the app would take it for a typo in `.env`. */
async function settingsIn({ features }: App): Promise<FieldError[]> {
  const own = await Promise.all(
    features.map(async ({ name, settings, background = [] }, place) => {
      const takers = ['worker', ...background.map((one) => one.name)];
      return Object.entries((await settings?.()) ?? {}).map(([setting, meaning]) => ({
        setting,
        field: `features[${place}] (${name}) settings.${setting}`,
        message: mistakeIn(setting, meaning, takers),
      }));
    }),
  );
  const all = own.flat();
  return mistakesAmong(all.map(({ setting, ...rest }) => ({ name: setting, ...rest })));
}

function mistakeIn(
  name: string,
  { unit, takenBy = [] }: Setting,
  takers: readonly string[],
): string | undefined {
  if (!SETTING_NAME.test(name)) return 'expected a name of upper-case letters, digits and _';
  const taken = settingNames();
  if (taken.includes(name)) return 'is a setting of the chassis; expected another name';
  if (RESERVED_SETTING.test(name)) return 'is a variable that others go by; expected another name';
  const near = nearest(name, taken);
  if (near !== undefined) return `is too near to ${near}, a setting of the chassis; expected another name`;
  if (unit !== undefined && !name.endsWith(`_${unit}`))
    return `expected a name that ends with _${unit}, its unit`;
  const stranger = takenBy.find((taker) => !takers.includes(taker));
  if (stranger !== undefined) return `is taken by ${stranger}; expected one of ${takers.join(', ')}`;
  return undefined;
}

/** Types forbid these mistakes, but an app need not be type-checked. */
function secretsIn({ features }: App): FieldError[] {
  return features.flatMap(({ name, background = [] }, place) =>
    background.flatMap((process) =>
      (process.secrets ?? [])
        .filter((secret) => !APP_SECRETS.includes(secret))
        .map((secret) => ({
          field: `features[${place}] (${name})`,
          message: `its process ${process.name} takes ${secret}; expected ${APP_SECRETS.join(', ')}, or a setting of its own with takenBy`,
        })),
    ),
  );
}

function namesIn({ features }: App): FieldError[] {
  const named = features.flatMap(({ name, background = [] }, place) => [
    { name, field: `features[${place}]`, kind: 'feature' },
    ...background.map((one) => ({ name: one.name, field: `features[${place}] (${name})`, kind: 'process' })),
  ]);
  return named.flatMap(({ name, field, kind }, place) => {
    if (!NAME.test(name))
      return [{ field, message: `expected a ${kind}'s name of lower-case letters, digits and -: ${name}` }];
    if (RESERVED.includes(name) || RESERVED_FORM.test(name))
      return [{ field, message: `the name ${name} is the chassis' own; expected another for the ${kind}` }];
    const first = named.slice(0, place).find((other) => other.kind === kind && other.name === name);
    return first === undefined
      ? []
      : [{ field, message: `there is another ${kind} ${name}, of ${first.field}; expected another name` }];
  });
}

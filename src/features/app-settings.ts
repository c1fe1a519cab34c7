import type { Config } from '../config/config.ts';
import type { AppConfig, AppSecrets, Setting, Settings } from '../contract/settings.ts';
import { Failure, type FieldError } from '../platform/errors.ts';
import { loadZod } from '../platform/zod-without-locales.ts';
import { features } from './features.ts';

// Used by the processes that load the app's code. The primary knows only the app's manifest.

type Given = Readonly<Record<string, string | undefined>>;

/** @returns the settings of every feature, by name */
export async function loadAppSettings(): Promise<Settings> {
  // Load our zod, without locales, first: otherwise the settings would load all of zod.
  await loadZod();
  const all = await Promise.all(features.map(async ({ settings }) => settings?.()));
  return Object.assign({}, ...all) as Settings;
}

/**
 * @param config the settings of the chassis, with the texts given for the app's settings
 * @returns the configuration that the features of this process get
 * @throws Failure config_invalid for a wrong value; the start should have refused it before
 */
export async function appConfigOf(config: Config): Promise<AppConfig> {
  const { values, mistakes } = read(await loadAppSettings(), config.appSettings);
  if (mistakes.length === 0) return Object.freeze({ ...config, ...values }) as AppConfig;
  const told = mistakes.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new Failure('config_invalid', `The configuration is wrong: ${told}`, { errors: mistakes });
}

/**
 * Returns the secrets that this process takes, and removes them from its environment.
 * @param taker the name of this process, as in `takenBy`
 */
export async function takeAppSecrets(taker: string): Promise<AppSecrets> {
  const own = Object.entries(await loadAppSettings()).filter(([, { takenBy }]) => takenBy?.includes(taker));
  const secrets = Object.fromEntries(own.map(([name]) => [name, process.env[name] || undefined]));
  for (const name of Object.keys(secrets)) delete process.env[name];
  return Object.freeze(secrets);
}

/** @returns the mistakes in the app's settings of an environment, secrets included; the values are not repeated */
export async function appSettingMistakes(env: Given): Promise<readonly FieldError[]> {
  const settings = await loadAppSettings();
  const { mistakes } = read(settings, env);
  const secrets = Object.entries(settings).filter(([name, { takenBy }]) => takenBy && env[name]);
  return [...mistakes, ...secrets.flatMap(([name, setting]) => readOne(name, setting, env).mistakes)];
}

/** @returns one line for each setting of the app, for the help of a command */
export async function describeAppSettings(): Promise<string> {
  const settings = Object.entries(await loadAppSettings());
  const width = Math.max(0, ...settings.map(([name]) => name.length)) + 2;
  return settings
    .map(([name, { about, default: fallback, changes, takenBy }]) => {
      const notes = [
        ...(fallback === undefined ? [] : [`default ${fallback}`]),
        ...(changes === 'restart' ? ['takes a restart'] : []),
        ...(takenBy === undefined ? [] : ['secret']),
      ];
      return `  ${name.padEnd(width)}${about}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
    })
    .join('\n');
}

interface Read {
  readonly values: Readonly<Record<string, unknown>>;
  readonly mistakes: readonly FieldError[];
}

/** Reads all settings but the secrets, which most processes do not have. */
function read(settings: Settings, given: Given): Read {
  const values: Record<string, unknown> = {};
  const mistakes: FieldError[] = [];
  const open = Object.entries(settings).filter(([, { takenBy }]) => takenBy === undefined);
  for (const [name, setting] of open) {
    const one = readOne(name, setting, given);
    values[name] = one.value;
    mistakes.push(...one.mistakes);
  }
  for (const [name, { atMost }] of open) {
    const most = atMost === undefined ? undefined : values[atMost];
    if (most !== undefined && (values[name] as number) > (most as number))
      mistakes.push({ field: name, message: `expected no more than ${atMost}, which is ${most}` });
  }
  return { values, mistakes };
}

function readOne(
  name: string,
  { schema, default: fallback }: Setting,
  given: Given,
): { readonly value: unknown; readonly mistakes: readonly FieldError[] } {
  const parsed = schema.safeParse(given[name] || fallback);
  if (parsed.success) return { value: parsed.data, mistakes: [] };
  return {
    value: undefined,
    mistakes: parsed.error.issues.map(({ message }) => ({ field: name, message })),
  };
}

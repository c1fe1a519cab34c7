import { settingNames } from '../../config/config.ts';
import { unknownSettings } from '../../config/settings-file.ts';
import type { AppManifest } from '../../contract/manifest.ts';
import { Failure, type FieldError } from '../../platform/errors.ts';
import { askRelease } from './ask.ts';
import type { StoredRelease } from './store.js';

type Known = Pick<AppManifest, 'settings'>;
type Values = Readonly<Record<string, string>>;

/** @returns the values that the app's settings are given, without its secrets */
export function givenOf(app: Known, env: NodeJS.ProcessEnv): Values {
  return pick(app, env, ({ takenBy }) => takenBy === undefined);
}

/** @returns the app's secrets that are given */
export function appSecretsOf(app: Known, env: NodeJS.ProcessEnv): Values {
  return pick(app, env, ({ takenBy }) => takenBy !== undefined);
}

/**
 * Has a release check the values that its app's settings are given; starts no process where none is given.
 * @param installation the folder of `.env`
 * @throws Failure config_invalid with one entry per wrong setting, release_unusable
 */
export async function checkGiven(
  release: StoredRelease,
  app: Known,
  { env, installation, timeoutMs }: { env: NodeJS.ProcessEnv; installation: string; timeoutMs: number },
): Promise<void> {
  const values = { ...givenOf(app, env), ...appSecretsOf(app, env) };
  const { PATH, HOME } = env;
  const mistakes =
    Object.keys(values).length === 0
      ? []
      : await askRelease(release, 'check-settings.ts', {
          args: [],
          env: { PATH, HOME, ...values },
          timeoutMs,
        });
  refuseWrong(mistakes as FieldError[], app, installation);
}

/**
 * @param mistakes in values
 * @throws Failure config_invalid for the mistakes, and for names in `.env` that are nearly those of the app's settings
 */
export function refuseWrong(mistakes: readonly FieldError[], app: Known, installation: string): void {
  const errors = [...mistakes, ...unknownTo(app, installation).slips];
  if (errors.length > 0) throw new Failure('config_invalid', 'The configuration is wrong', { errors });
}

/** @returns the names in `.env` that are no setting of the chassis or the app */
export function unknownTo({ settings }: Known, installation: string): ReturnType<typeof unknownSettings> {
  return unknownSettings(installation, [...settingNames(), ...settings.map(({ name }) => name)]);
}

function pick(
  { settings }: Known,
  env: NodeJS.ProcessEnv,
  isMeant: (setting: Known['settings'][number]) => boolean,
): Values {
  const meant = settings.filter(isMeant);
  return Object.fromEntries(meant.flatMap(({ name }) => (env[name] ? [[name, env[name]] as const] : [])));
}

import type { z } from 'zod';
import type { Config } from '../config/config.ts';

/** What a setting's name ends with when it is a time or a size. */
export type SettingUnit = 'MS' | 'SECONDS' | 'MINUTES' | 'HOURS' | 'DAYS' | 'BYTES' | 'KB' | 'MB';

/** One setting of an app. Its value is text, of the environment or of `.env`; an empty one counts as not given. */
export interface Setting<Value = unknown> {
  /**
   * Makes a value of the text. Where there is no `default`, it gets undefined for a setting that is not given:
   * `.optional()`, or a default of its own that depends on the machine.
   */
  readonly schema: z.ZodType<Value>;
  /** The text that counts where none is given; stands so in `.env.example`. */
  readonly default?: string;
  /** Of a time or a size; the name ends with it. */
  readonly unit?: SettingUnit;
  /** What brings a change of it in: a reload, or only a restart, where a process that no reload exchanges goes by it. */
  readonly changes: 'reload' | 'restart';
  /** Another setting of this feature, which it may not exceed. */
  readonly atMost?: string;
  /**
   * Makes it a secret, and names the only processes that get it: `worker`, or background processes of the feature. It is
   * in no configuration, only in their `secrets`. It is optional: processes without it have to be able to start.
   */
  readonly takenBy?: readonly string[];
  /** What it does, in a line, for `ninelives start --help`. */
  readonly about: string;
}

/** The settings of one feature by their names, which are those of the environment: `UPLOAD_QUOTA_MB`. */
export type Settings = Readonly<Record<string, Setting>>;

/**
 * Every setting of the app with the type of its value. An app adds its own by declaration merging, and they are typed
 * wherever a feature gets a `config`:
 *
 *     declare module 'ninelives' {
 *       interface AppSettings extends SettingsOf<typeof settings> {}
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app fills it
export interface AppSettings {}

/** The values of settings, without those of secrets. */
export type SettingsOf<Own extends Settings> = {
  readonly [Name in keyof Own as Own[Name] extends { readonly takenBy: readonly string[] }
    ? never
    : Name]: z.output<Own[Name]['schema']>;
};

/** What a feature gets to know: the settings of the chassis, and those of the app. It holds no secret. */
export type AppConfig = Config & AppSettings;

/** The secrets that one process takes, as they are given; undefined for one that is not. */
export type AppSecrets = Readonly<Record<string, string | undefined>>;

/** @returns `settings` unchanged, with their types inferred */
export function defineSettings<const Own extends Settings>(settings: Own): Own {
  return settings;
}

import type { z } from 'zod';
import type { Config } from '../config/config.ts';

/** The unit of a time or a size. The setting's name ends with it. */
export type SettingUnit = 'MS' | 'SECONDS' | 'MINUTES' | 'HOURS' | 'DAYS' | 'BYTES' | 'KB' | 'MB';

/** One setting of an app. It is given as text, in the environment or in `.env`; an empty text counts as not given. */
export interface Setting<Value = unknown> {
  /**
   * Parses the text. Without a `default`, the schema gets undefined when the setting is not given: use `.optional()`,
   * or a default of the schema that depends on the machine.
   */
  readonly schema: z.ZodType<Value>;
  /** The text that is used when none is given; `.env.example` shows it too. */
  readonly default?: string;
  /** The unit, for a time or a size. The setting's name must end with it. */
  readonly unit?: SettingUnit;
  /** How a change takes effect: by a reload, or only by a restart, when a process that no reload replaces uses it. */
  readonly changes: 'reload' | 'restart';
  /** Another setting of the app, which the value may not exceed. */
  readonly atMost?: string;
  /**
   * Makes the setting a secret, and names the only processes that get it: `worker`, or background processes of the
   * feature. They find it in their `secrets`; it is never in a `config`. A secret is always optional: a process must be
   * able to start without it.
   */
  readonly takenBy?: readonly string[];
  /** What the setting does, in one line, for `ninelives start --help`. */
  readonly about: string;
}

/** The settings of one feature, by the names of their environment variables, such as `UPLOAD_QUOTA_MB`. */
export type Settings = Readonly<Record<string, Setting>>;

/**
 * Every setting of the app, with the type of its value. An app adds its own by declaration merging. They then have
 * types wherever a feature gets a `config`:
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

/** The configuration that a feature gets: the settings of the chassis and of the app. It holds no secret. */
export type AppConfig = Config & AppSettings;

/** The secrets that one process takes, as text; undefined for a secret that is not given. */
export type AppSecrets = Readonly<Record<string, string | undefined>>;

/** @returns `settings` unchanged, with their types inferred */
export function defineSettings<const Own extends Settings>(settings: Own): Own {
  return settings;
}

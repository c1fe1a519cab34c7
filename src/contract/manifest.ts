import { z } from 'zod';
import { APP_SECRETS } from '../config/secrets.ts';
import type { Families } from '../metrics/catalog.ts';
import type { CodeMeaning } from '../platform/errors.ts';
import type { Background } from '../runtime/background.ts';

/** What the primary must know of an app; it never loads the app's code. */
export interface AppManifest {
  /** Names of the databases, without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  readonly codes: Readonly<Record<string, CodeMeaning>>;
  /** Empty for a release from before apps had settings. */
  readonly settings: readonly SettingEntry[];
  /** Metrics by name, for the process that sums them up. Empty for a release from before apps had metrics. */
  readonly metrics: Families;
}

/** What the primary must know of a setting; it does not interpret the value. */
export interface SettingEntry {
  readonly name: string;
  readonly changes: 'reload' | 'restart';
  /** Of a secret: the processes that get it, `worker` or the names of background processes. */
  readonly takenBy?: readonly string[] | undefined;
}

const METRIC_NAME = /^[a-z][a-z0-9_]*$/;
const name = z.string().regex(/^[a-z][a-z0-9-]*$/);

const schema = z.object({
  databases: z.array(name).min(1),
  backgrounds: z.array(z.object({ name, entry: z.string().min(1), secrets: z.array(z.enum(APP_SECRETS)) })),
  codes: z.record(
    z.string(),
    z.object({ title: z.string(), httpStatus: z.int(), exitCode: z.int().min(1).max(255) }),
  ),
  settings: z
    .array(
      z.object({
        name: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
        changes: z.enum(['reload', 'restart']),
        takenBy: z.array(name).optional(),
      }),
    )
    .default([]),
  metrics: z
    .record(
      z.string().regex(METRIC_NAME),
      z.object({
        type: z.enum(['counter', 'gauge', 'histogram']),
        help: z.string(),
        labels: z.array(z.string().regex(METRIC_NAME)).optional(),
        isPerChild: z.boolean().optional(),
        bounds: z.array(z.number()).optional(),
      }),
    )
    .default({}),
});

/** @returns the value as a manifest; undefined when it is not a valid one */
export function parseManifest(value: unknown): AppManifest | undefined {
  return schema.safeParse(value).data;
}

import { z } from 'zod';
import { APP_SECRETS } from '../config/secrets.ts';
import type { Families } from '../metrics/catalog.ts';
import type { CodeMeaning } from '../platform/errors.ts';
import type { Background } from '../runtime/background.ts';

/** What the primary has to know of an app, without its code. */
export interface AppManifest {
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  readonly codes: Readonly<Record<string, CodeMeaning>>;
  /** A release from before there were any tells none. */
  readonly settings: readonly SettingEntry[];
  /** By name, as whoever counts them has to know. A release from before there were any tells none. */
  readonly metrics: Families;
}

/** What the primary has to know of a setting: not what it means. */
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

/** @returns the manifest that a value is; undefined when it is none */
export function parseManifest(value: unknown): AppManifest | undefined {
  return schema.safeParse(value).data;
}

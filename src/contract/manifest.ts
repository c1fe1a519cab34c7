import { z } from 'zod';
import type { CodeMeaning } from '../errors.ts';
import type { Background } from '../runtime/background.ts';
import { SECRET_NAMES } from '../secrets.ts';

/** What the primary has to know of an app, without its code. */
export interface AppManifest {
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  readonly codes: Readonly<Record<string, CodeMeaning>>;
}

const name = z.string().regex(/^[a-z][a-z0-9-]*$/);

const schema = z.object({
  databases: z.array(name).min(1),
  backgrounds: z.array(z.object({ name, entry: z.string().min(1), secrets: z.array(z.enum(SECRET_NAMES)) })),
  codes: z.record(
    z.string(),
    z.object({ title: z.string(), httpStatus: z.int(), exitCode: z.int().min(1).max(255) }),
  ),
});

/** @returns the manifest in a text; undefined when it is none */
export function parseManifest(text: string): AppManifest | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

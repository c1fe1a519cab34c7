import type { Config } from '../../config/config.ts';
import type { AppManifest } from '../../contract/manifest.ts';
import { Failure, type FieldError, isCode } from '../../platform/errors.ts';
import type { Compatibility } from '../../sqlite/migration-history.ts';
import { askRelease } from './ask.ts';
import type { StoredRelease } from './store.js';

const ENTRY = 'inspect.ts';

export interface InspectionInput {
  /** The folder that settings and relative paths belong to. */
  readonly installation: string;
}

/** What a release says about itself and about the databases. */
export interface Inspection
  extends Omit<AppManifest, 'settings' | 'metrics'>,
    Partial<Pick<AppManifest, 'settings' | 'metrics'>> {
  /** The numbers of the protocols between processes: a process cannot understand another number. */
  readonly protocols: { readonly child: number; readonly writer: number };
  readonly nodeVersion: string;
  readonly config: Config;
  /** Names of the settings that only a restart brings in. */
  readonly restartSettings: readonly string[];
  /** By database: the migrations that it lacks, and those that it has and this release does not know. */
  readonly compatibility: Readonly<Record<string, Compatibility>>;
}

/** What `inspect.ts` prints. */
export type InspectionAnswer =
  | (Inspection & { readonly ok: true })
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly errors: readonly FieldError[];
    };

export interface InspectOptions extends InspectionInput {
  /** The settings, with `.env` merged into them. This is the only way to give it secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/**
 * Asks a release what it is, in a process of its own code.
 * @throws Failure release_unusable when its code cannot be loaded, or what is wrong with the settings
 */
export async function inspectRelease(
  release: StoredRelease,
  { installation, env, timeoutMs }: InspectOptions,
): Promise<Inspection> {
  const input: InspectionInput = { installation };
  const answer = await askRelease(release, ENTRY, { args: [JSON.stringify(input)], env, timeoutMs });
  return answered(answer as InspectionAnswer);
}

/** @throws Failure what the release says is wrong */
function answered(answer: InspectionAnswer): Inspection {
  if (answer.ok) return answer;
  const { code, message, errors } = answer;
  // The failure becomes a part of another message, which has one sentence.
  const details = errors.map((error) => `${error.field}: ${error.message}`).join('; ');
  throw new Failure(isCode(code) ? code : 'internal', details === '' ? message : `${message}: ${details}`);
}

/** @returns why a release cannot go on with the databases as they are now; undefined when it can */
export function refusalOf({ compatibility }: Inspection): string | undefined {
  return Object.values(compatibility).find(({ refusal }) => refusal !== undefined)?.refusal;
}

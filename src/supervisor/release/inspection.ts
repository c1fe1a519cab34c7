import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure, type FieldError, isCode } from '../../errors.ts';
import type { Background } from '../../runtime/background.ts';
import type { Compatibility } from '../../sqlite/migration-history.ts';
import { compileCacheOf, type StoredRelease } from './store.js';

const ENTRY = ['src', 'supervisor', 'release', 'inspect.ts'];
const ANSWER_MAX_BYTES = 1024 * 1024;
/** Of what a release that cannot be loaded has printed: where it broke stands first. */
const SAID_LINES = 6;

export interface InspectionInput {
  /** The folder that settings and relative paths belong to. */
  readonly installation: string;
}

/** What a release says of itself and of the databases. */
export interface Inspection {
  /** The numbers of the messages between processes: others cannot be understood. */
  readonly protocols: { readonly child: number; readonly writer: number };
  readonly nodeVersion: string;
  readonly config: Config;
  /** Names of the settings that only a restart brings in. */
  readonly restartSettings: readonly string[];
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  /** By database: the migrations that it lacks, and those that it has beyond this release. */
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
  /** The settings, `.env` merged into them; secrets included, which go no other way. */
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
  const answer = await new Promise<InspectionAnswer>((resolve, reject) => {
    const refuse = (reason: string) =>
      reject(new Failure('release_unusable', `Release ${nameOf(release)} cannot be loaded: ${reason}`));
    try {
      execFile(
        release.nodePath,
        [join(release.folder, ...ENTRY), JSON.stringify(input)],
        {
          cwd: release.folder,
          env: {
            ...env,
            NODE_COMPILE_CACHE: compileCacheOf(release.folder),
            NODE_COMPILE_CACHE_PORTABLE: '1',
          },
          timeout: timeoutMs,
          killSignal: 'SIGKILL',
          maxBuffer: ANSWER_MAX_BYTES,
        },
        (error, stdout, stderr) => {
          if (!error) resolve(JSON.parse(stdout) as InspectionAnswer);
          else if (error.killed) refuse(`it did not answer within ${timeoutMs} ms`);
          else refuse(stderr.trim().split('\n').slice(0, SAID_LINES).join('\n') || error.message);
        },
      );
    } catch (error) {
      refuse((error as Error).message);
    }
  });
  if (answer.ok) return answer;
  const { code, message, errors } = answer;
  throw new Failure(isCode(code) ? code : 'internal', message, { errors });
}

/** @returns why a release cannot go on with the databases as they are; undefined when it can */
export function refusalOf({ compatibility }: Inspection): string | undefined {
  return Object.values(compatibility).find(({ refusal }) => refusal !== undefined)?.refusal;
}

/** @returns a release for people: its version and its hash */
export function nameOf({ version, hash }: Pick<StoredRelease, 'version' | 'hash'>): string {
  return `${version} (${hash})`;
}

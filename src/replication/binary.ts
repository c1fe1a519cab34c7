import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../platform/errors.ts';
import { fileStamp } from '../platform/file-stamp.ts';

const VERSION_TIMEOUT_MS = 10_000;
/** Nothing else goes on in the process meanwhile. */
const VERSION_NOW_TIMEOUT_MS = 2000;
/** The first that logs JSON and names the WAL segments that it has written; without that nothing can be confirmed. */
const OLDEST_PATCH_OF_0_3 = 12;
/** 0.5.0 to 0.5.16 lose data in known ways. */
const FIRST_SAFE_PATCH_OF_0_5 = 17;
/** 0.5 takes the path of a database for a URI: with these it would open, lock and checkpoint another file. */
const READ_OTHERWISE = /#|%[\da-f]{2}/i;
const REMEDY =
  'Install Litestream 0.3.13, or 0.5.17 or later, and set LITESTREAM_BIN to it, or run npm install without --omit=optional';

/** A Litestream binary that was run and found usable. */
export interface LitestreamBinary {
  /** Absolute. */
  readonly path: string;
  /** Such as `0.3.13`. */
  readonly version: string;
  /** How it writes a replica: as WAL segments (0.3), or as LTX files (0.5). */
  readonly format: ReplicaFormat;
  /** Changes with the file. */
  readonly stamp: string;
}

export type ReplicaFormat = 'wal' | 'ltx';

export interface FindOptions {
  /** LITESTREAM_BIN; where it is set no other binary is tried. */
  readonly litestreamBin: string | undefined;
  /** The folder of the databases, for a Litestream that is to work on them. */
  readonly dataDir?: string;
  /** A file from which npm's package of Litestream is resolved; this module by default. */
  readonly packages?: string;
  /** Where npm's package puts its binary; for tests. */
  readonly npmBinary?: string | undefined;
}

/**
 * Finds the Litestream to run: LITESTREAM_BIN, else the one of npm's package. PATH is not searched: a binary there may
 * write the replica in another format.
 * @throws Failure litestream_missing, which says what to do; config_invalid where it cannot work in the data folder
 */
export async function findLitestream(options: FindOptions): Promise<LitestreamBinary> {
  const { litestreamBin } = options;
  if (litestreamBin !== undefined) {
    const given = resolve(litestreamBin);
    const found = await probe(given);
    if ('problem' in found) {
      throw new Failure(
        'litestream_missing',
        `LITESTREAM_BIN (${given}) cannot be used: it ${found.problem}. ${REMEDY}, or unset LITESTREAM_BIN`,
      );
    }
    if (found.format === 'ltx' && READ_OTHERWISE.test(options.dataDir ?? ''))
      throw new Failure(
        'config_invalid',
        `DATA_DIR: expected a path without # and %, for Litestream ${found.version}: it reads another path of ${options.dataDir}`,
      );
    return found;
  }
  const carried = 'npmBinary' in options ? options.npmBinary : npmBinary(options.packages);
  const found = carried === undefined ? undefined : await probe(carried);
  if (found && 'path' in found) return found;
  const reason = found ? `${carried} ${found.problem}` : `npm carries none for ${platformName()}`;
  throw new Failure('litestream_missing', `No usable Litestream: ${reason}. ${REMEDY}`);
}

function npmBinary(packages: string | URL = import.meta.url): string | undefined {
  try {
    // Resolved from the package that depends on it: a strict package manager such as pnpm hides it from all others.
    const owner = createRequire(packages).resolve('@flydotio/litestream/package.json');
    const manifest = createRequire(owner).resolve(`@flydotio/litestream-${platformName()}/package.json`);
    return join(dirname(manifest), 'litestream');
  } catch {
    return undefined;
  }
}

function platformName(): string {
  return `${process.platform}-${process.arch}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Looks whether a binary is still what was found: an upgrade may exchange its file while the system runs.
 * @throws Failure litestream_missing where it is gone, or would write the replica in another format
 */
export function refuseExchanged({ path, version, format, stamp }: LitestreamBinary): void {
  if (fileStamp(path) === stamp) return;
  const file = problemOfFile(path);
  const found = file === undefined ? judgedBy(path, askVersionNow(path)) : { problem: file };
  const problem =
    'problem' in found
      ? found.problem
      : found.format !== format && `is Litestream ${found.version}, which writes another format`;
  if (problem === false) return;
  throw new Failure(
    'litestream_missing',
    `${path} ${problem}; it was Litestream ${version} when it was found. Put that back, or restart the system`,
  );
}

/** @returns the binary, or what is wrong with it, as a text that continues a sentence */
async function probe(path: string): Promise<LitestreamBinary | Problem> {
  const problem = problemOfFile(path);
  return problem === undefined ? judgedBy(path, await askVersion(path)) : { problem };
}

interface Problem {
  readonly problem: string;
}

function problemOfFile(path: string): string | undefined {
  const file = statSync(path, { throwIfNoEntry: false });
  if (!file) return 'does not exist';
  if (!file.isFile()) return 'is not a file';
  return isExecutable(path) ? undefined : 'is not executable';
}

/** @param answer what it says of its version; undefined where it could not be run */
function judgedBy(path: string, answer: string | undefined): LitestreamBinary | Problem {
  if (answer === undefined) return { problem: 'cannot be run' };
  const version = /^v?((\d+)\.(\d+)\.(\d+)(?:-[\w.]+)?)\s*$/.exec(answer);
  if (!version?.[1]) return { problem: 'is not a released Litestream: it does not tell its version' };
  const judged = judge(Number(version[2]), Number(version[3]), Number(version[4]));
  if ('problem' in judged) return { problem: `is Litestream ${version[1]}, ${judged.problem}` };
  return { path, version: version[1], stamp: fileStamp(path), ...judged };
}

function judge(major: number, minor: number, patch: number): { readonly format: ReplicaFormat } | Problem {
  if (major === 0 && minor === 3) {
    if (patch >= OLDEST_PATCH_OF_0_3) return { format: 'wal' };
    return { problem: 'which does not tell what it has replicated; 0.3.12 and later do' };
  }
  if (major === 0 && minor === 5) {
    if (patch >= FIRST_SAFE_PATCH_OF_0_5) return { format: 'ltx' };
    return { problem: 'and 0.5.0 to 0.5.16 lose data in known ways' };
  }
  return { problem: 'and this version of ninelives speaks to Litestream 0.3 and 0.5 only' };
}

function askVersionNow(path: string): string | undefined {
  const { status, stdout } = spawnSync(path, ['version'], {
    timeout: VERSION_NOW_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  return status === 0 ? stdout.trim() : undefined;
}

async function askVersion(path: string): Promise<string | undefined> {
  return new Promise((settle) => {
    // `execFile` throws synchronously for a file that the system refuses to run.
    try {
      execFile(
        path,
        ['version'],
        {
          timeout: VERSION_TIMEOUT_MS,
          killSignal: 'SIGKILL',
          maxBuffer: 4096,
          env: { PATH: process.env.PATH },
        },
        (error, stdout) => settle(error ? undefined : stdout.trim()),
      );
    } catch {
      settle(undefined);
    }
  });
}

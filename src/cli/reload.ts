import { loadConfig } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { lockUnlessHeld } from '../sqlite/lock.ts';
import { writeCurrent } from '../supervisor/release/current.js';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { ReloadOutcome } from '../supervisor/release/outcome.ts';
import { releasesFolder } from '../supervisor/release/store.js';
import { readTree } from '../supervisor/release/tree.js';
import { absolutePath, readArguments } from './arguments.ts';
import { demandDatabase } from './demand-data.ts';
import { exchange } from './exchange.ts';
import { refuseMisplaced } from './misplaced.ts';

const USAGE = `Usage: ninelives reload [--release DIR] [--yes]

  Brings the code on disk, and the settings as they are now, into service: the migrations are tried on a copy, the new
  processes are brought up beside the old ones, then the writer, the background processes and the workers are
  exchanged, each ready before the old one goes. When something does not come up, the old release goes on, and the
  reason is told.

  --release DIR  that folder instead of the one that the system was started from; while nothing runs, the next start
                 takes it
  --yes          also when writes wait longer for a migration than WRITE_DEADLINE_MS allows

  What a reload cannot bring in (the address, the data folder, the replica, ...) is told before anything is exchanged.
  ninelives rollback goes back to the release before.`;
const OPTIONS = {
  release: { type: 'string' },
  yes: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Brings the code on disk into service.
 * @param args what follows the command's name
 * @throws Failure why it did not come up; the former release goes on then
 */
export async function reload(args: readonly string[], invocation: Invocation): Promise<void> {
  const { release, yes, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, invocation.installation);
  refuseMisplaced(invocation, config.DATA_DIR);
  const folder = release === undefined ? '' : absolutePath(invocation, release);
  try {
    const outcome = await exchange(config.DATA_DIR, ['reload', yes ? 'yes' : '', folder], 'reloading');
    console.log(describeOutcome(outcome as ReloadOutcome));
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not_ready' || release === undefined) throw error;
    await choose(config.DATA_DIR, folder, invocation.app, error);
  }
}

/** While no system runs, records which folder the next start takes. @throws Failure why a running one refused */
async function choose(
  dataDir: string,
  folder: string,
  app: string | undefined,
  failure: Failure,
): Promise<void> {
  demandDatabase(dataDir);
  const lock = lockUnlessHeld(dataDir, 'reload --release');
  // A system runs, and has said why it refuses.
  if (!lock) throw failure;
  try {
    const { version, hash } = await readTree(folder, [dataDir], app);
    writeCurrent(releasesFolder(dataDir), { next: folder });
    console.log(`${failure.message}\nThe next start takes ${version} (${hash}) from ${folder}`);
  } finally {
    lock.release();
  }
}

/** @returns the outcome, for people */
export function describeOutcome({ from, to, replaced, notes }: ReloadOutcome): string {
  const what =
    from === to
      ? `nothing changed: ${to} runs, as before; its processes were exchanged: ${replaced.join(', ')}`
      : `reloaded: ${from} → ${to}: ${replaced.join(', ')}`;
  return [what, ...notes].join('\n');
}

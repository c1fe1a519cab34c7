import { mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { features, isWithoutApp } from '../features/features.ts';
import { Failure } from '../platform/errors.ts';
import { isDiskFull } from '../platform/free-disk.ts';
import { isoTimeMs } from '../platform/iso-time.ts';
import { rangeOf } from '../replication/points/generations.ts';
import { readKnownEnd } from '../replication/points/known-end.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { absolutePath, readArguments } from './arguments.ts';
import { abortOnSignals, type CommandReplica, withReplica } from './restore-context.ts';
import { restoreInPlace } from './restore-in-place.ts';
import { listAll, listRestorable } from './restore-list.ts';
import { describeReport, isTaken, type Point, type RestoreReport, restoreOne } from './restore-one.ts';

const USAGE = `Usage: ninelives restore --to FILE [--database NAME] [--at TIME] [--json]
       ninelives restore --in-place [--at TIME] [--yes] [--json]
       ninelives restore --list [--database NAME] [--json]

  --to FILE        restore one database (the first unless --database names another) into a new file
  --in-place       replace all databases of a system that does not run; the old files are kept aside
  --list           show the time range that each generation in the replica can restore
  --at TIME        the state at a time, such as 2030-01-31T12:00:00Z, instead of the newest
  --yes            go back in time; without it, at a terminal, --in-place --at only says what would follow from that`;

const OPTIONS = {
  to: { type: 'string' },
  'in-place': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  database: { type: 'string' },
  at: { type: 'string' },
  yes: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Restores from the replica, or lists what can be restored.
 * @param args what follows the command's name
 * @throws Failure usage, file_exists, data_dir_locked, or as `restorePoint`
 */
export async function restore(args: readonly string[], invocation: Invocation): Promise<void> {
  const options = readArguments(args, OPTIONS, USAGE);
  const { to, 'in-place': inPlace, list, database, at, yes, json, help } = options;
  if (help) {
    console.log(USAGE);
    return;
  }
  if ([to !== undefined, inPlace, list].filter(Boolean).length !== 1) {
    throw new Failure('usage', `Expected one of --to, --in-place and --list\n\n${USAGE}`);
  }
  if (inPlace && database !== undefined) {
    throw new Failure(
      'usage',
      '--in-place replaces all databases, so that they stay of one time; leave --database out',
    );
  }
  if (list && at !== undefined) throw new Failure('usage', `--list shows all times; leave --at out`);
  const atMs = at === undefined ? undefined : parseTime(at);
  if (inPlace && at !== undefined) {
    console.error(consequencesOf(at));
    if (!yes && process.stdin.isTTY)
      throw new Failure('usage', 'Nothing was done: to go back in time, repeat this with --yes');
  }
  const signal = abortOnSignals();
  await withReplica(invocation, async (context) => {
    if (database !== undefined && !context.databases.includes(database)) {
      throw new Failure(
        'usage',
        `There is no database ${database}; there is ${context.databases.join(', ')}`,
      );
    }
    if (list) {
      await listRestorable(context, database === undefined ? context.databases : [database], json, signal);
      return;
    }
    const { place, point } =
      atMs === undefined ? { place: context, point: undefined } : await placeOf(context, atMs, signal);
    if (to === undefined) {
      const { reports, movedTo } = await restoreInPlace(context, place, point, signal);
      if (movedTo && !json) console.log(`what was there before is in ${movedTo}`);
      print(reports, json, { movedTo });
    } else {
      print(
        [
          await restoreTo(
            place,
            absolutePath(invocation, to),
            database ?? (context.databases[0] as string),
            point,
            signal,
          ),
        ],
        json,
      );
    }
  });
}

/** What a restore does not undo outside of the databases. */
function consequencesOf(at: string): string {
  const lines = features.map(
    ({ name, onRewind }) => `  ${name}: ${onRewind?.does ?? 'as its database says then'}`,
  );
  if (isWithoutApp) lines.push('  those of the app cannot be asked');
  return `Going back to ${at}. The next start has the features make up for what cannot be undone:\n${lines.join('\n')}`;
}

function parseTime(text: string): number {
  // A date without a time is not enough.
  const atMs = text.includes('T') ? isoTimeMs(text) : undefined;
  if (atMs === undefined) {
    throw new Failure(
      'usage',
      `--at ${text}: expected a time of the calendar with its zone, such as 2030-01-31T12:00:00Z`,
    );
  }
  return atMs;
}

/**
 * Finds the place to restore a time from: the newest folder of the lineage that begins before it. A database without
 * writes ends earlier than the others, and is still known up to where they end; so is one whose successor goes on, and
 * one of which the replica's owner knows no later commit.
 */
async function placeOf(
  context: CommandReplica,
  atMs: number,
  signal: AbortSignal,
): Promise<{ readonly place: CommandReplica; readonly point: Point }> {
  const { root, env, databases } = context;
  const ends = await Promise.all(databases.map((name) => readKnownEnd(root, env, context.epoch, name)));
  let replicaEndMs = 0;
  let place = context;
  for (const each of [context, ...context.earlier]) {
    const listed = await listAll(each, context.databases, signal);
    const ranges = listed.flatMap(({ generations }) => rangeOf(generations) ?? []);
    if (ranges.length === 0) continue;
    place = each;
    replicaEndMs = Math.max(replicaEndMs, ...ranges.map(({ toMs }) => toMs));
    if (ranges.every(({ fromMs }) => fromMs <= atMs)) break;
  }
  // The owner's record tells nothing about an earlier place.
  const knownEnds = place === context ? ends.flatMap((end) => end ?? []) : [];
  return { place, point: { atMs, replicaEndMs, knownEnds } };
}

async function restoreTo(
  context: CommandReplica,
  outputPath: string,
  database: string,
  point: Point | undefined,
  signal: AbortSignal,
): Promise<RestoreReport> {
  if (/[?\ufffd]/.test(outputPath)) {
    throw new Failure(
      'usage',
      `--to ${outputPath}: Litestream reads no path behind a ?, and none that is not UTF-8; use another one`,
    );
  }
  const folder = dirname(outputPath);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure('usage', `--to ${outputPath}: there is no folder ${folder}`);
  }
  // Beside the output, so that it can be renamed; the name shows a killed restore for what it is.
  const scratchDir = join(folder, `.${basename(outputPath)}.restoring-${process.pid}`);
  try {
    // A WAL that is there already would be taken for that of the new file.
    if (isTaken(outputPath)) {
      throw new Failure(
        'file_exists',
        `${outputPath} exists, or a -wal, -shm or -journal of it; nothing is overwritten`,
      );
    }
    rmSync(scratchDir, { recursive: true, force: true });
    mkdirSync(scratchDir, { mode: 0o700 });
  } catch (cause) {
    if (cause instanceof Failure || isDiskFull(cause)) throw cause;
    const { message } = cause as Error;
    throw new Failure('usage', `--to ${outputPath}: no file can be made there: ${message}`, { cause });
  }
  try {
    return await restoreOne(context, { database, point, outputPath, scratchDir, signal });
  } finally {
    rmSync(scratchDir, { recursive: true, force: true });
  }
}

/** @throws Failure replica_damaged when a part of the replica could not be used */
function print(reports: readonly RestoreReport[], asJson: boolean, more: object = {}): void {
  if (asJson) console.log(JSON.stringify({ restored: reports, ...more }, undefined, 2));
  else for (const report of reports) console.log(describeReport(report));
  const damaged = reports.filter(({ faults }) => faults.length > 0);
  if (damaged.length === 0) return;
  const texts = damaged.map(({ database, faults }) => `${database}: ${faults.join('; ')}`);
  throw new Failure(
    'replica_damaged',
    `The replica is damaged, and only what is before that was restored. ${texts.join('. ')}`,
  );
}

import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../config/config.ts';
import type { ReleasesSnapshot, SystemSnapshot } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import { readCurrent } from '../supervisor/release/current.js';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { dataOf } from '../supervisor/release/settle.js';
import { findRelease, packagesProblem, releasesFolder } from '../supervisor/release/store.js';
import { readTree } from '../supervisor/release/tree.js';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';
import { describeStatus } from './status-view.ts';

const USAGE = `Usage: ninelives status [--json] [--watch]

  Shows every process of the running system, the replication, the last drill and the newest events.

  --json    everything that is known, as one JSON document; with --watch one a line
  --watch   again every second, until Ctrl-C

  Exit code: 0 when it serves, also with something out of order; 75 when it does not.`;
const OPTIONS = {
  json: { type: 'boolean', default: false },
  watch: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const WATCH_INTERVAL_MS = 1000;
/** Moves to the corner. Lines and screen are cleared only behind the new text, so that nothing flickers. */
const HOME = '\u001b[H';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * Prints the state of the running system.
 * @param args what follows the command's name
 * @throws Failure not_ready when no system runs, or when it does not serve
 */
export async function status(args: readonly string[], invocation: Invocation): Promise<void> {
  const { json, watch, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, invocation.installation);
  const ask = async () => {
    const snapshot = (await askPrimary(config.DATA_DIR, ['status'])) as SystemSnapshot;
    return { ...snapshot, releases: await withPackages(snapshot.releases, config.DATA_DIR) };
  };
  if (watch) return watchOn(ask, json);
  const snapshot = await ask();
  const onDisk = await describeDisk(snapshot, invocation, config.DATA_DIR);
  console.log(
    json
      ? JSON.stringify({ ...snapshot, onDisk: onDisk ?? null }, undefined, 2)
      : describeStatus(snapshot, process.stdout.columns, onDisk),
  );
  if (snapshot.status.ready) return;
  const reasons = snapshot.status.notReady.map(({ name, reason }) => `${name}: ${reason}`);
  throw new Failure('not_ready', `It does not serve: ${reasons.join('; ')}`);
}

/** The primary judged the rollback at its last exchange; but packages may be removed at any time. */
async function withPackages(releases: ReleasesSnapshot, dataDir: string): Promise<ReleasesSnapshot> {
  const { previous, rollbackProblem } = releases;
  if (previous === null || rollbackProblem !== null) return releases;
  const release = await findRelease(releasesFolder(dataDir), previous.hash);
  const problem = release ? await packagesProblem(release) : 'its copy is gone';
  return { ...releases, rollbackProblem: problem ?? null };
}

/** @returns the code on the disk, for people; undefined when it is the code that runs */
async function describeDisk(
  { releases, primary }: SystemSnapshot,
  { root, installation, app }: Invocation,
  dataDir: string,
): Promise<string | undefined> {
  try {
    const tree = await readTree(root, dataOf(installation, process.env, primary.pid).data, app);
    if (tree.hash === releases.workers.hash) return undefined;
    const refusal = readCurrent(releasesFolder(dataDir)).refused.find(({ hash }) => hash === tree.hash);
    const what = `${tree.version} (${tree.hash}) in ${tree.root}, which does not run`;
    return refusal ? `${what}: it was refused (${refusal.reason})` : `${what}: ninelives reload brings it in`;
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`;
  }
}

/** A system that is gone is reported, and asked again: it may be restarting. */
async function watchOn(ask: () => Promise<SystemSnapshot>, json: boolean): Promise<never> {
  for (;;) {
    let text: string;
    try {
      const snapshot = await ask();
      text = json ? JSON.stringify(snapshot) : describeStatus(snapshot, process.stdout.columns);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      text = json ? JSON.stringify({ code: error.code, message: error.message }) : error.message;
    }
    if (!json && process.stdout.isTTY) {
      process.stdout.write(
        `${HOME}${text.replaceAll('\n', `${CLEAR_LINE_END}\n`)}${CLEAR_LINE_END}\n${CLEAR_BELOW}`,
      );
    } else console.log(json ? text : `${text}\n`);
    await delay(WATCH_INTERVAL_MS);
  }
}

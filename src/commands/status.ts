import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../config.ts';
import { Failure } from '../errors.ts';
import type { SystemSnapshot } from '../runtime/snapshot.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
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
/** Moves to the corner; clears what is left below at the end, so that nothing flickers. */
const HOME = '\u001b[H';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * Prints how the running system is.
 * @param args what follows the command's name
 * @throws Failure not_ready when none runs, or when it does not serve
 */
export async function status(args: readonly string[], { installation }: Invocation): Promise<void> {
  const { json, watch, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const ask = async () => (await askPrimary(config.DATA_DIR, ['status'])) as SystemSnapshot;
  if (watch) return watchOn(ask, json);
  const snapshot = await ask();
  console.log(
    json ? JSON.stringify(snapshot, undefined, 2) : describeStatus(snapshot, process.stdout.columns),
  );
  if (snapshot.status.ready) return;
  const reasons = snapshot.status.notReady.map(({ name, reason }) => `${name}: ${reason}`);
  throw new Failure('not_ready', `It does not serve: ${reasons.join('; ')}`);
}

/** A system that is gone is told of, and looked for again: it may be restarting. */
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

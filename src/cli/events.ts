import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../config/config.ts';
import type { SystemEvent } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';
import { readEvents } from '../supervisor/events.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';
import { demandDatabase } from './demand-data.ts';
import { describeEvent } from './event-view.ts';

const USAGE = `Usage: ninelives events [--limit COUNT] [--follow] [--json]

  Shows what happened to the system, oldest first: starts, crashes with their causes, restarts, reloads, stalls,
  healings. It reads DATA_DIR/run/events.jsonl, so no system needs to run.

  --limit COUNT   so many of the newest; 50 unless told
  --follow        waits for more, until Ctrl-C
  --json          one JSON document a line`;
const OPTIONS = {
  limit: { type: 'string', default: '50' },
  follow: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const FOLLOW_INTERVAL_MS = 500;

/**
 * Prints the events of the data folder.
 * @param args what follows the command's name
 * @throws Failure usage, data_dir_unusable, not_ready where no system has ever run
 */
export async function events(args: readonly string[], { installation }: Invocation): Promise<void> {
  const { limit, follow, json, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  if (!/^\d{1,6}$/.test(limit)) throw new Failure('usage', `--limit expects a count\n\n${USAGE}`);
  const { config } = loadConfig(process.env, installation);
  const print = (event: SystemEvent) => console.log(json ? JSON.stringify(event) : describeEvent(event));
  demandReadableDataDir(config.DATA_DIR);
  const all = readEvents(config.DATA_DIR);
  if (all.length === 0) demandDatabase(config.DATA_DIR);
  const count = Number(limit);
  for (const event of count === 0 ? [] : all.slice(-count)) print(event);
  if (all.length === 0 && !follow) console.error(`ninelives: nothing has happened on ${config.DATA_DIR} yet`);
  let lastId = all.at(-1)?.id ?? 0;
  while (follow) {
    await delay(FOLLOW_INTERVAL_MS);
    for (const event of readEvents(config.DATA_DIR)) {
      if (event.id <= lastId) continue;
      lastId = event.id;
      print(event);
    }
  }
}

import { loadConfig } from '../config/config.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { ReloadOutcome } from '../supervisor/release/outcome.ts';
import { readArguments } from './arguments.ts';
import { exchange } from './exchange.ts';
import { describeOutcome } from './reload.ts';

const USAGE = `Usage: ninelives rollback

  Brings the release that ran before into service again, as reload does: without a failed request. What its migrations
  added stays. It is refused, and nothing changes, where the databases have a migration that the release before cannot
  live with, or where its packages are gone; ninelives status says beforehand whether it is possible.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Goes back to the previous release.
 * @param args what follows the command's name
 * @throws Failure why that cannot be; the present release goes on then
 */
export async function rollback(args: readonly string[], { installation }: Invocation): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const outcome = await exchange(config.DATA_DIR, ['rollback'], 'rolling back');
  console.log(describeOutcome(outcome as ReloadOutcome));
}

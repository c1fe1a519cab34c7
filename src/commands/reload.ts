import { loadConfig } from '../config.ts';
import { readArguments } from './arguments.ts';
import { exchange } from './exchange.ts';

const USAGE = `Usage: ninelives reload

  Replaces every worker and the writer of the running system for new ones that run the code on disk, each ready before
  the old one goes. When the new code does not come up, the old processes go on, and the reason is told. New code of
  the primary itself, and new settings, need a restart.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Brings the code on disk into service.
 * @param args what follows the command's name
 * @throws Failure why the new code did not come up; the old processes then go on
 */
export async function reload(args: readonly string[]): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, process.cwd());
  const replaced = await exchange(config.DATA_DIR, ['reload'], 'reloading');
  console.log(`reloaded: ${replaced.join(', ')}`);
}

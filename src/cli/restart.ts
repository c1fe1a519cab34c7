import { loadConfig } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';
import { exchange } from './exchange.ts';

const USAGE = `Usage: ninelives restart ROLE

  Replace the processes of one role: worker (all of them, one after the other), worker-1 (that one), writer,
  litestream; ninelives status lists them. The rest serves on. To restart the whole system use the service manager
  (systemctl restart ninelives), or ninelives stop and start.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Replaces the processes of one role.
 * @param args what follows the command's name
 * @throws Failure usage, not_ready, or why the new process did not come up
 */
export async function restart(args: readonly string[], { installation }: Invocation): Promise<void> {
  const [first = ''] = args;
  const role = first.startsWith('-') ? '' : first;
  if (readArguments(role ? args.slice(1) : args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  if (!role) throw new Failure('usage', `Expected one ROLE\n\n${USAGE}`);
  const { config } = loadConfig(process.env, installation);
  const words = ['restart', role];
  const { replaced } = (await exchange(config.DATA_DIR, words, `restarting ${role}`)) as {
    replaced: string[];
  };
  console.log(`restarted: ${replaced.join(', ')}`);
}

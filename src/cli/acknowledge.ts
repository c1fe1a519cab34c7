import { loadConfig } from '../config/config.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';

const USAGE = `Usage: ninelives acknowledge

  Takes for known what a start has found about the databases, what was told of them and the replica: ninelives status
  names it until a drill has passed, or until this. A folder that keeps commits which a database goes on without is named
  until this, or until a start finds it removed.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Tells the running system that a person knows its findings.
 * @param args what follows the command's name
 * @throws Failure usage, or not_ready when no system runs
 */
export async function acknowledge(args: readonly string[], { installation }: Invocation): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const { acknowledged } = (await askPrimary(config.DATA_DIR, ['acknowledge'])) as { acknowledged: number };
  console.log(acknowledged === 0 ? 'there was nothing to acknowledge' : `acknowledged: ${acknowledged}`);
}

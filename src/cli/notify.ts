import { loadConfig } from '../config/config.ts';
import { testMessage } from '../notify/message.ts';
import { targetsOf } from '../notify/targets.ts';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';

const USAGE = `Usage: ninelives notify --test

  Sends a message to NOTIFY_URL and NOTIFY_EMAIL, as the running system would when something is wrong, and says whether
  it was taken. HEARTBEAT_URL is not touched: it is pinged by a system that runs, and by nothing else.

  Exit code: 0 when every one has taken it; 69 when one has not.`;
const OPTIONS = {
  test: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Sends the operator a message.
 * @param args what follows the command's name
 * @throws Failure usage, config_invalid where the settings name no recipient, notify_failed with the reason
 */
export async function notify(args: readonly string[], { installation }: Invocation): Promise<void> {
  const { test, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  if (!test) throw new Failure('usage', `Expected --test\n\n${USAGE}`);
  const { config, secrets } = loadConfig(process.env, installation);
  const targets = targetsOf(config, secrets);
  if (targets.length === 0) throw new Failure('config_invalid', 'Neither NOTIFY_URL nor NOTIFY_EMAIL is set');
  const message = testMessage(config.DATA_DIR);
  const failures: string[] = [];
  for (const { name, send } of targets) {
    const sent = await send(message);
    if (sent.ok) console.log(`${name} has taken a message`);
    else failures.push(`${name}: ${sent.reason}`);
  }
  if (failures.length > 0) throw new Failure('notify_failed', `Not taken: ${failures.join('; ')}`);
}

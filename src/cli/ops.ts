import { loadConfig } from '../config/config.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { OpsLink } from '../supervisor/system.ts';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';

const USAGE = `Usage: ninelives ops

  Prints a link to the page /ops of the running system, which shows it live. It opens the page once, within a minute, and
  without a key; the page then shows the system for an hour, and can change nothing. Whoever may use the data folder may
  print one.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Prints a link to the operator's page.
 * @param args what follows the command's name
 * @throws Failure not_ready when no system runs, or it does not listen yet
 */
export async function ops(args: readonly string[], { installation }: Invocation): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const { url, token } = (await askPrimary(config.DATA_DIR, ['ops'])) as OpsLink;
  const { host, port } = new URL(url);
  console.error(
    `It opens once, within a minute. On another machine, first: ssh -N -L ${port}:${host} and the name of this one`,
  );
  console.log(`${url}#${token}`);
}

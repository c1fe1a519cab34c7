import { loadConfig } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { HandedOver } from '../supervisor/system.ts';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';
import { Progress } from './progress.ts';

const USAGE = `Usage: ninelives handover

  Of two systems with FAILOVER=lease, has the other one lead: run it at the one that leads. Requests wait until the other one
  serves, and are closed unanswered then: a proxy in front sends those again, to the other one, that read or have an
  Idempotency-Key. This system then ends with exit code 85; its service manager starts it again, as the standby. Where the
  other one could not lead, or does not take it, this one leads on.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;
const MS_PER_S = 1000;

/**
 * Hands the lead over.
 * @param args what follows the command's name
 * @throws Failure usage, standby, or not_ready: why it was not handed over
 */
export async function handover(args: readonly string[], { installation }: Invocation): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const progress = new Progress('handing over');
  try {
    const { to, durationMs, problem } = (await askPrimary(config.DATA_DIR, ['handover'])) as HandedOver;
    progress.end();
    if (problem !== undefined)
      throw new Failure(
        'not_ready',
        `${problem}. See there. This system stands by when it is started again, and takes over where ${to} is gone.`,
      );
    console.log(`${to} leads; requests waited for ${(durationMs / MS_PER_S).toFixed(1)} s`);
  } finally {
    progress.end();
  }
}

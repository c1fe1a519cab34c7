import { repeat } from 'ninelives/background';
import type { commands } from './commands.ts';

const HOUR_MS = 3600 * 1000;

/** A process of its own: removes what has been kept for long enough. */
export const cleaner = repeat<typeof commands>({ everyMs: HOUR_MS }, async ({ write, log }) => {
  const { removed } = await write('removeOld', {});
  if (removed > 0) log.info({ removed }, 'old notes removed');
});

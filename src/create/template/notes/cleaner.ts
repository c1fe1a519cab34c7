import { repeat } from 'ninelives/background';

const HOUR_MS = 3600 * 1000;

/** A process of its own: removes what has been kept for long enough. */
export const run = repeat(
  { feature: 'notes', database: 'main', everyMs: HOUR_MS },
  async ({ write, log }) => {
    const { removed } = (await write('removeOld', {})) as { removed: number };
    if (removed > 0) log.info({ removed }, 'old notes removed');
  },
);

import { setTimeout as delay } from 'node:timers/promises';
import type { SystemEvent, SystemSnapshot } from '../messages/snapshot.ts';
import { askPrimary } from './control-client.ts';
import { describeEvent } from './event-view.ts';
import { Progress } from './progress.ts';

const LOOK_INTERVAL_MS = 250;

/**
 * Has the primary exchange children, and shows meanwhile which ones are exchanged.
 * @param words the primary's command
 * @param doing what it does, for people
 * @returns the command's value
 * @throws Failure why it did not work
 */
export async function exchange(dataDir: string, words: readonly string[], doing: string): Promise<unknown> {
  const { events } = (await askPrimary(dataDir, ['status'])) as SystemSnapshot;
  let lastId = events.at(-1)?.id ?? 0;
  const progress = new Progress(doing);
  const exchanging = askPrimary(dataDir, words);
  let isDone = false;
  // The failure is thrown to the caller below.
  exchanging
    .catch(() => {})
    .finally(() => {
      isDone = true;
    });
  try {
    while (!isDone) {
      await Promise.race([exchanging.catch(() => {}), delay(LOOK_INTERVAL_MS)]);
      // A system that stops meanwhile answers the exchange, and no further command.
      const news = (await askPrimary(dataDir, ['events', String(lastId)]).catch(
        () => [],
      )) as readonly SystemEvent[];
      for (const event of news) progress.step(describeEvent(event));
      lastId = news.at(-1)?.id ?? lastId;
    }
    return await exchanging;
  } finally {
    progress.end();
  }
}

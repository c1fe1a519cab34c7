import { setTimeout } from 'node:timers/promises';

/**
 * Resolves in a second of its own: stores tell times in whole ones, and of two generations that ended in the same one
 * Litestream restores either.
 */
export async function nextSecond(): Promise<void> {
  const thisSecond = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) === thisSecond) await setTimeout(1000 - (Date.now() % 1000));
}

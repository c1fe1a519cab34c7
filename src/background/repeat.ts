import type { BackgroundContext, Place, PrepareBackground } from '../contract/background.ts';
import type { Commands } from '../contract/command.ts';

/** What each round gets. */
export type Round<Own extends Commands> = Omit<BackgroundContext<Own>, 'onDrain'> & Place;

export interface RepeatOptions {
  /** Time from the end of one round to the beginning of the next. */
  readonly everyMs: number;
}

/**
 * Makes a background process that runs `round` again and again. A round that fails is logged, and the next one comes
 * all the same. The process ends only after the round that is running.
 */
export function repeat<Own extends Commands>(
  { everyMs }: RepeatOptions,
  round: (context: Round<Own>) => Promise<void>,
): PrepareBackground<Own> {
  return ({ onDrain, ...context }) => {
    const drained = Promise.withResolvers<void>();
    let isDraining = false;
    onDrain(() => {
      isDraining = true;
      drained.resolve();
    });
    return async ({ url }) => {
      while (!isDraining) {
        await round({ ...context, url }).catch((err) =>
          context.log.error({ err }, `a round has failed; the next one is in ${everyMs} ms`),
        );
        await Promise.race([drained.promise, new Promise((resolve) => setTimeout(resolve, everyMs).unref())]);
      }
    };
  };
}

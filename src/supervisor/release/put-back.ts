import type { Config } from '../../config/config.ts';
import type { Logger } from '../../platform/log.ts';
import { refusalOf } from './inspection.ts';
import { nameOf } from './name-of.ts';
import type { Releases } from './releases.ts';

export interface PutBackOptions {
  readonly releases: Releases;
  /** Of the start that failed. */
  readonly config: Config;
  readonly log: Logger;
}

/**
 * After a start that failed: gives the writer's place in the record back to the release that served last, where the
 * databases are still, or again, such that it can go on with them. The next start then runs that one.
 * @returns its name; undefined where nothing was put back
 */
export async function putBackWriter({ releases, config, log }: PutBackOptions): Promise<string | undefined> {
  const { writer, workers } = releases.current;
  if (workers === null || workers === writer) return undefined;
  try {
    const release = await releases.find(workers);
    if (refusalOf(await releases.inspect(release, config)) !== undefined) return undefined;
    releases.writerGoesTo(release);
    log.warn(`the next start runs release ${nameOf(release)} again`);
    return nameOf(release);
  } catch (err) {
    log.warn(
      { err },
      'the release that served last cannot be judged; the next start tries what the record says',
    );
    return undefined;
  }
}

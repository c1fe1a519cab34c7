import type { Config } from '../../config/config.ts';
import type { Logger } from '../../platform/log.ts';
import { refusalOf } from './inspection.ts';
import { nameOf } from './name-of.ts';
import type { Releases } from './releases.ts';

export interface PutBackOptions {
  readonly releases: Releases;
  /** The configuration of the start that failed. */
  readonly config: Config;
  readonly log: Logger;
}

/**
 * After a start that failed: records that the writer is of the release that served last, where that release can go on
 * with the databases as they are. The next start then runs that release.
 * @returns its name; undefined where nothing was changed
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

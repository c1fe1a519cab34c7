import type { Config } from './config.ts';

/** @returns the base of our links: fit for a header, with the path that a proxy strips, without a slash at the end */
export function publicBaseOf({ PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>): string | undefined {
  return PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).href.replace(/\/+$/, '');
}

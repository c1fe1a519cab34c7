import type { Config } from './config.ts';

/** @returns what our links begin with, as a header can hold it, with the path that a proxy takes away, and without a slash at the end */
export function publicBaseOf({ PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>): string | undefined {
  return PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).href.replace(/\/+$/, '');
}

import type { Config } from './config.ts';

/** @returns what our links begin with, with the path that a proxy takes away, and without a slash at the end */
export function publicBaseOf({ PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>): string | undefined {
  return PUBLIC_URL?.replace(/\/+$/, '');
}

import type { Config } from '../config/config.ts';

export const WINDOW_MS = 60_000;

/**
 * What a request is counted against. `key`: a valid key, for all routes. `address`: the address of a request without a
 * valid key. `public`: the same for public routes, counted apart, so that refused requests use up nothing of their
 * quota.
 */
export type Policy = 'key' | 'address' | 'public';

/** The name of the query to the writer. */
export const QUOTA_QUERY = 'limits.grant';

/** Asks the writer for permission to serve requests. */
export interface QuotaRequest {
  readonly policy: Policy;
  /** The id of a key, or an address. */
  readonly id: string;
}

/** Permission to serve some requests until the window ends. */
export interface QuotaLease {
  /** How many requests; 0 when the quota of the window is used up. */
  readonly tokens: number;
  /** How many requests of the window's quota are not granted yet. */
  readonly pooled: number;
  readonly resetMs: number;
}

/** @returns how many requests a window allows; 0: any number */
export function quotaOf(policy: Policy, config: Config): number {
  if (policy === 'key') return config.RATE_LIMIT_KEY_PER_MINUTE;
  return policy === 'public' ? config.RATE_LIMIT_PUBLIC_PER_MINUTE : config.RATE_LIMIT_ADDRESS_PER_MINUTE;
}

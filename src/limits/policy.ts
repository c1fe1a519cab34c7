import type { Config } from '../config/config.ts';

export const WINDOW_MS = 60_000;

/**
 * Who is counted, and for what: the holder of a key for everything; where a request without a valid one comes from, apart
 * for public routes, so that what is refused for want of a key takes nothing from those.
 */
export type Policy = 'key' | 'address' | 'public';

/** What the writer is asked under this name. */
export const QUESTION = 'limits.grant';

/** Asks for permission to serve requests. */
export interface GrantRequest {
  readonly policy: Policy;
  /** A key's id, or an address. */
  readonly id: string;
}

/** Permission to serve so many requests until the window ends. */
export interface Grant {
  /** 0 when the window has none left. */
  readonly tokens: number;
  /** How many others may still ask for. */
  readonly pooled: number;
  readonly resetMs: number;
}

/** @returns how many requests a window takes; 0 for any number */
export function quotaOf(policy: Policy, config: Config): number {
  if (policy === 'key') return config.RATE_LIMIT_KEY_PER_MINUTE;
  return policy === 'public' ? config.RATE_LIMIT_PUBLIC_PER_MINUTE : config.RATE_LIMIT_ADDRESS_PER_MINUTE;
}

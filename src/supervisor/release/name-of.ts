import type { StoredRelease } from './store.js';

/** @returns a release for people: its version and its hash */
export function nameOf({ version, hash }: Pick<StoredRelease, 'version' | 'hash'>): string {
  return `${version} (${hash})`;
}

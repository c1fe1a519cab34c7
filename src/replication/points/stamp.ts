/**
 * The times in a replica are those at which its store took an object. Listings have them in whole seconds, rounded
 * down, even if the store itself knows more.
 */
export const STAMP_RESOLUTION_MS = 1000;

/** @returns a listed time as text: UTC, without milliseconds where it has none */
export function showStamp(atMs: number): string {
  return new Date(atMs).toISOString().replace('.000Z', 'Z');
}

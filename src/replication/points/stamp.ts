/**
 * The times in a replica are those at which its store took an object. Listings tell them in whole seconds, cut off,
 * whatever the store itself knows.
 */
export const STAMP_RESOLUTION_MS = 1000;

/** A listed time as it is shown: UTC, without the milliseconds that it does not have. */
export function showStamp(atMs: number): string {
  return new Date(atMs).toISOString().replace('.000Z', 'Z');
}

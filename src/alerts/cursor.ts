import { Buffer } from 'node:buffer';

/** Names what the number means, so that a cursor of another list is not taken for one of this. */
const KIND = 'alerts<';

/**
 * A place in the list: everything older than the alert with this id. A place, not a count of rows to skip, so
 * that alerts which come or go between two pages neither repeat nor hide another.
 *
 * @returns an opaque string that is safe in a URL
 */
export function encodeCursor(id: number): string {
  return Buffer.from(`${KIND}${id}`).toString('base64url');
}

/** @returns the id that `encodeCursor` was given, or undefined when it did not make this string */
export function decodeCursor(cursor: string): number | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const id = Number(text.slice(KIND.length));
  return Number.isSafeInteger(id) && id > 0 && encodeCursor(id) === cursor ? id : undefined;
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/**
 * Reads an ISO 8601 date (its first moment, UTC) or a time with its zone; without one it would mean something else on
 * each machine. JavaScript reads 30 February as 2 March; here it is invalid.
 *
 * @returns milliseconds since the epoch; undefined for any other text, and for a date or time that does not exist
 */
export function isoTimeMs(text: string): number | undefined {
  const [, date, minute = '00:00', seconds = ''] = TIME.exec(text) ?? [];
  if (date === undefined) return undefined;
  const local = new Date(`${date}T${minute}${seconds}Z`);
  if (Number.isNaN(local.getTime()) || local.toISOString().slice(0, 16) !== `${date}T${minute}`)
    return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

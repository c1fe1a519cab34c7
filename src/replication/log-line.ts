/** One line that Litestream has logged. */
export interface LitestreamLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Its message, such as `wal segment written`. */
  readonly message: string;
  /** What it says beside: for `wal segment written` db, replica, position, elapsed, sz. Empty for a plain line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const LEVELS = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
const OWN_FIELDS = new Set(['time', 'level', 'msg']);

/**
 * Reads one line, JSON or not. Takes anything and never throws.
 *
 * @param text without its line end
 * @param redact applied to every string in it
 * @param plainLevel the level of a line that names none
 */
export function parseLogLine(
  text: string,
  redact: (text: string) => string = (same) => same,
  plainLevel: LitestreamLine['level'] = 'warn',
): LitestreamLine {
  const clean = redact(text);
  const value = parseJson(clean, redact);
  if (value && typeof value.msg === 'string') {
    const fields = Object.fromEntries(Object.entries(value).filter(([name]) => !OWN_FIELDS.has(name)));
    return { level: levelNamed(value.level) ?? plainLevel, message: value.msg, fields };
  }
  // Before Litestream has read its configuration it logs as plain text.
  const named = /^\S+ \S+ (DEBUG|INFO|WARN|ERROR) |\blevel=(DEBUG|INFO|WARN|ERROR)\b/.exec(clean);
  return { level: levelNamed(named?.[1] ?? named?.[2]) ?? plainLevel, message: clean, fields: {} };
}

function levelNamed(name: unknown): LitestreamLine['level'] | undefined {
  return typeof name === 'string' && Object.hasOwn(LEVELS, name)
    ? LEVELS[name as keyof typeof LEVELS]
    : undefined;
}

/** Redacts once more what JSON had spelled with escapes. */
function parseJson(text: string, redact: (text: string) => string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text, (_, value) => (typeof value === 'string' ? redact(value) : value));
  } catch {
    return undefined;
  }
}

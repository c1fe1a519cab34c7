/** The content of a line. */
interface Said {
  /** Its message, such as `wal segment written`. */
  readonly message: string;
  /** Its further fields: for `wal segment written` db, replica, position, elapsed, sz. Empty for a plain line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * One line of Litestream's log. `message` and `fields` are for parsing, and must never be shown: they may hold a
 * credential. `shown` is for people, and must not be parsed: redaction may also have changed a part of it that is no
 * credential.
 */
export interface LitestreamLine extends Said {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** The same without credentials. */
  readonly shown: Said;
}

const LEVELS = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
const OWN_FIELDS = new Set(['time', 'level']);

/**
 * Reads one line, JSON or not. Takes anything and never throws.
 *
 * @param text without its line end
 * @param redact applied to every string in what is shown
 * @param plainLevel the level of a line that names none
 */
export function parseLogLine(
  text: string,
  redact: (text: string) => string = (same) => same,
  plainLevel: LitestreamLine['level'] = 'warn',
): LitestreamLine {
  const value = parseJson(text);
  if (value && typeof value.msg === 'string') {
    // Redacts the parsed strings: in the text a secret may be spelled with JSON escapes.
    const shown = parseJson(text, redact) as typeof value;
    const level = levelNamed(value.level) ?? plainLevel;
    return { level, ...said(value), shown: said(shown) };
  }
  // Litestream logs plain text until it has read its configuration.
  const named = /^\S+ \S+ (DEBUG|INFO|WARN|ERROR) |\blevel=(DEBUG|INFO|WARN|ERROR)\b/.exec(text);
  const level = levelNamed(named?.[1] ?? named?.[2]) ?? plainLevel;
  return { level, message: text, fields: {}, shown: { message: redact(text), fields: {} } };
}

function said({ msg, ...rest }: Record<string, unknown>): Said {
  const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !OWN_FIELDS.has(name)));
  return { message: String(msg), fields };
}

function levelNamed(name: unknown): LitestreamLine['level'] | undefined {
  return typeof name === 'string' && Object.hasOwn(LEVELS, name)
    ? LEVELS[name as keyof typeof LEVELS]
    : undefined;
}

function parseJson(
  text: string,
  redact: (text: string) => string = (same) => same,
): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text, (_, value) => (typeof value === 'string' ? redact(value) : value));
  } catch {
    return undefined;
  }
}

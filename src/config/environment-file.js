// Plain JavaScript: settings are read before the code that runs has been chosen.
import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** sysexits.h: EX_NOPERM, EX_CONFIG. */
const EXIT_NO_PERMISSION = 77;
const EXIT_CONFIGURATION = 78;

/** A comment; or a name, the quoted parts of its value, and the rest of the line. */
const LINE =
  /^[^\S\n]*(?:[#;](?:\\.|[^\\\n])*|(\w+)[^\S\n]*=((?:[^\S\n]*(?:'[^']*'|"(?:\\.|[^\\"])*"))*)((?:\\.|[^\\\n])*))/gms;
const QUOTED = /'([^']*)'|"((?:\\.|[^\\"])*)"/gs;

/**
 * Reads a file of settings. `process.loadEnvFile` is not used: it reports an unreadable file as ENOENT.
 * @param {string} path
 * @returns {string | undefined} its text; undefined when the file does not exist
 * @throws an error that says as which user to run
 */
export function readSettings(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOENT') return undefined;
    const owner = ownerOf(path);
    const remedy =
      owner === process.getuid?.()
        ? ''
        : `; it belongs to the user with the id ${owner}: run this as that user (sudo -u '#${owner}')`;
    throw Object.assign(new Error(`The settings in ${path} cannot be read (${message})${remedy}`), {
      meaning: { exitCode: EXIT_NO_PERMISSION },
    });
  }
}

/**
 * @param {string} path of `.env`
 * @returns {NodeJS.Dict<string>} its settings; none when the file does not exist
 * @throws as `readSettings`, and when the file is not UTF-8: its settings would silently be ignored
 */
export function readDotEnv(path) {
  const text = readSettings(path) ?? '';
  if (/[\0\uFFFD]/.test(text)) {
    throw Object.assign(
      new Error(`The settings in ${path} cannot be read (it is no text in UTF-8; save it as that)`),
      {
        meaning: { exitCode: EXIT_CONFIGURATION },
      },
    );
  }
  // Windows editors write a byte order mark first, which would become part of the first name.
  return parseEnv(text.replace(/^\uFEFF/, ''));
}

/**
 * @param {string} path
 * @returns {number} the id of the owner; root's when it cannot be found out
 */
function ownerOf(path) {
  try {
    return statSync(path).uid;
  } catch {
    return 0;
  }
}

/**
 * Reads an EnvironmentFile as systemd.exec(5) defines it. Node.js reads `.env` differently: there a # ends a value.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseEnvironmentFile(text) {
  /** @type {Record<string, string>} */
  const settings = {};
  for (const [, name, quoted = '', rest = ''] of text.replaceAll('\r\n', '\n').matchAll(LINE)) {
    if (name === undefined) continue;
    const parts = [...quoted.matchAll(QUOTED)].map(([, literal, escaped = '']) =>
      literal === undefined ? withoutEscapes(escaped, /\\(["\\`$\n])/g) : literal,
    );
    settings[name] = parts.join('') + withoutEscapes(rest.trim(), /\\(.)/gs);
  }
  return settings;
}

/**
 * Removes backslashes: one before a line break joins the lines, one before another character makes that literal.
 * @param {string} text
 * @param {RegExp} pattern
 */
function withoutEscapes(text, pattern) {
  return text.replace(pattern, (_, character) => (character === '\n' ? '' : character));
}

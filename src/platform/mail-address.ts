const LOCAL_PART_MAX_OCTETS = 64; // RFC 5321 4.5.3.1.1
const LABEL_MAX_OCTETS = 63; // RFC 1035 2.3.4
const ATEXT_SYMBOLS = "!#$%&'*+-/=?^_`{|}~"; // RFC 5322 3.2.3

const LETTER = 1;
const DIGIT = 2;
const SYMBOL = 4;
const HYPHEN = 8;
/** The kinds of each ASCII character, as bits. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  const kind = /[a-z]/i.test(char) ? LETTER : /\d/.test(char) ? DIGIT : 0;
  return kind | (ATEXT_SYMBOLS.includes(char) ? SYMBOL : 0) | (char === '-' ? HYPHEN : 0);
});

export interface Address {
  readonly localPart: string;
  readonly domain: string;
}

/** An address with the name of its owner. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

/**
 * Reads an address in the grammar of RFC 5321 4.1.2, as far as mail servers accept it in practice: a local part that is
 * a dot-string, and a domain of at least two labels, the last of which begins with a letter. Quoted strings, address
 * literals and non-ASCII characters are refused.
 *
 * @returns undefined when the whole text is no such address; comments, angle brackets and spaces are refused, too
 */
export function parseAddress(text: string): Address | undefined {
  const at = endOfWords(text, 0, LETTER | DIGIT | SYMBOL);
  if (at === 0 || at > LOCAL_PART_MAX_OCTETS || text[at] !== '@') return undefined;
  const end = endOfWords(text, at + 1, LETTER | DIGIT | HYPHEN);
  if (end !== text.length) return undefined;
  const domain = text.slice(at + 1);
  const labels = domain.split('.');
  const isDomain =
    labels.length > 1 &&
    labels.every(isLabel) &&
    kindAt(labels.at(-1)!, 0) === LETTER &&
    labels.at(-1)!.length > 1;
  return isDomain ? { localPart: text.slice(0, at), domain } : undefined;
}

/** @returns the mailbox of `address` or `Name <address>`; undefined when the text is neither */
export function parseMailbox(text: string): Mailbox | undefined {
  const open = text.lastIndexOf('<');
  const isBare = open === -1;
  if (!isBare && !text.endsWith('>')) return undefined;
  const address = isBare ? text : text.slice(open + 1, -1);
  const name = isBare ? '' : text.slice(0, open).trim();
  if (/[\p{Cc}<>"]/u.test(name) || parseAddress(address) === undefined) return undefined;
  return { name, address };
}

/** @returns the end of the words that begin at `from`, separated by single dots; `from` when there is none */
function endOfWords(text: string, from: number, kinds: number): number {
  let wordStart = from;
  for (let index = from; ; index += 1) {
    if ((kindAt(text, index) & kinds) !== 0) continue;
    // A dot at the beginning, at the end, or after another dot.
    if (index === wordStart) return from;
    if (text[index] !== '.') return index;
    wordStart = index + 1;
  }
}

function isLabel(label: string): boolean {
  const last = kindAt(label, label.length - 1);
  return label.length <= LABEL_MAX_OCTETS && (kindAt(label, 0) & HYPHEN) === 0 && (last & HYPHEN) === 0;
}

/** @returns 0 beyond the end, and for a non-ASCII character */
function kindAt(text: string, index: number): number {
  return KINDS[text.charCodeAt(index)] ?? 0;
}

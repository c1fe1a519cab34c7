const LOCAL_PART_MAX_OCTETS = 64; // RFC 5321 4.5.3.1.1
const LABEL_MAX_OCTETS = 63; // RFC 1035 2.3.4
const ATEXT_SYMBOLS = "!#$%&'*+-/=?^_`{|}~"; // RFC 5322 3.2.3

const LETTER = 1;
const DIGIT = 2;
const SYMBOL = 4;
const HYPHEN = 8;
/** What each ASCII character is. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  const kind = /[a-z]/i.test(char) ? LETTER : /\d/.test(char) ? DIGIT : 0;
  return kind | (ATEXT_SYMBOLS.includes(char) ? SYMBOL : 0) | (char === '-' ? HYPHEN : 0);
});

export interface Address {
  readonly localPart: string;
  readonly domain: string;
}

/** An address and whose it is. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

/**
 * Reads an address in the grammar of RFC 5321 4.1.2, as far as mail servers take it in practice: a local part that is a
 * dot-string, and a domain of at least two labels, the last of which begins with a letter. Quoted strings, address
 * literals and other than ASCII are no addresses here.
 *
 * @returns undefined for what is none as a whole, comments, angle brackets and spaces included
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

/** @returns the mailbox that `address` or `Name <address>` names; undefined when it is neither */
export function parseMailbox(text: string): Mailbox | undefined {
  const open = text.lastIndexOf('<');
  const isBare = open === -1;
  if (!isBare && !text.endsWith('>')) return undefined;
  const address = isBare ? text : text.slice(open + 1, -1);
  const name = isBare ? '' : text.slice(0, open).trim();
  if (/[\p{Cc}<>"]/u.test(name) || parseAddress(address) === undefined) return undefined;
  return { name, address };
}

/** @returns where the words, separated by single dots, end that begin at an index; that index when there is none */
function endOfWords(text: string, from: number, kinds: number): number {
  let wordStart = from;
  for (let index = from; ; index += 1) {
    if ((kindAt(text, index) & kinds) !== 0) continue;
    // A dot that begins, ends or follows another.
    if (index === wordStart) return from;
    if (text[index] !== '.') return index;
    wordStart = index + 1;
  }
}

function isLabel(label: string): boolean {
  const last = kindAt(label, label.length - 1);
  return label.length <= LABEL_MAX_OCTETS && (kindAt(label, 0) & HYPHEN) === 0 && (last & HYPHEN) === 0;
}

/** @returns 0 beyond the end, and for what is not ASCII */
function kindAt(text: string, index: number): number {
  return KINDS[text.charCodeAt(index)] ?? 0;
}

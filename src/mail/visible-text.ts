/** What orders text otherwise than its reader's language does: embeddings, overrides and isolates (UAX #9). */
const BIDI_CONTROLS = '\\u202A-\\u202E\\u2066-\\u2069\\u206A-\\u206F';
/** Nothing to be seen: soft hyphen, joiners of words, byte order mark, annotations, fillers, blank Braille. */
const INVISIBLE =
  '\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180E\\u200B\\u2060-\\u2065\\u2800\\u3164\\uFEFF\\uFFA0\\uFFF0-\\uFFFB';
/** Spell hidden text, but within the flag of a region, which begins with a black flag and ends with a cancel tag. */
const FLAG_OR_TAGS = /(\u{1F3F4}[\u{E0020}-\u{E007E}]+\u{E007F})|[\u{E0000}-\u{E0FFF}]/gu;
const UNSEEN = new RegExp(`[${BIDI_CONTROLS}${INVISIBLE}]`, 'gu');
/** Line breaks and other controls, which a header or a mail's own text could be told apart from, and runs of spaces. */
const BREAKS = /[\p{Cc}\u2028\u2029 ]+/gu;
/** What is left of a text of blanks, marks of direction, joiners and selectors alone. */
const BLANK = /^(?:[\s\u061C\u200C-\u200F]|[\uFE00-\uFE0F])*$/u;

/**
 * @returns the visible text on one line, in the order in which its characters are, and nothing else. Joiners, selectors and
 *   marks of direction stay, since scripts and emoji need them. Empty when nothing is to be seen.
 */
export function visibleText(text: string): string {
  const visible = text
    .replace(FLAG_OR_TAGS, (_, flag: string | undefined) => flag ?? '')
    .replace(UNSEEN, '')
    .replace(BREAKS, ' ')
    .trim();
  return BLANK.test(visible) ? '' : visible;
}

/** Characters that reorder text: embeddings, overrides and isolates (UAX #9). */
const BIDI_CONTROLS = '\\u202A-\\u202E\\u2066-\\u2069\\u206A-\\u206F';
/** Invisible characters: soft hyphen, word joiners, byte order mark, annotations, fillers, blank Braille. */
const INVISIBLE =
  '\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180E\\u200B\\u2060-\\u2065\\u2800\\u3164\\uFEFF\\uFFA0\\uFFF0-\\uFFFB';
/** Tag characters can spell hidden text. They are kept only in a region's flag, from a black flag to a cancel tag. */
const FLAG_OR_TAGS = /(\u{1F3F4}[\u{E0020}-\u{E007E}]+\u{E007F})|[\u{E0000}-\u{E0FFF}]/gu;
const UNSEEN = new RegExp(`[${BIDI_CONTROLS}${INVISIBLE}]`, 'gu');
/** Line breaks and other controls, which could break out of a header or imitate a mail's own text; runs of spaces. */
const BREAKS = /[\p{Cc}\u2028\u2029 ]+/gu;
/** Matches a text that has only blanks, direction marks, joiners and selectors left. */
const BLANK = /^(?:[\s\u061C\u200C-\u200F]|[\uFE00-\uFE0F])*$/u;

/**
 * @returns only the visible text, on one line, in the order of its characters. Joiners, selectors and direction marks
 *   stay, since scripts and emoji need them. Empty when nothing is visible.
 */
export function visibleText(text: string): string {
  const visible = text
    .replace(FLAG_OR_TAGS, (_, flag: string | undefined) => flag ?? '')
    .replace(UNSEEN, '')
    .replace(BREAKS, ' ')
    .trim();
  return BLANK.test(visible) ? '' : visible;
}

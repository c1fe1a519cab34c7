/** Keeps the first line of a short header within 76 characters (RFC 2047 section 2): 48 in base64, 12 around them. */
const WORD_MAX_BYTES = 36;

/** @returns a header's text as encoded words (RFC 2047), one on each line; decoded, they give exactly this text */
export function encodedWords(text: string): string {
  const words: string[] = [];
  let word = '';
  let wordBytes = 0;
  for (const char of text) {
    const charBytes = Buffer.byteLength(char);
    if (wordBytes + charBytes > WORD_MAX_BYTES) {
      words.push(word);
      word = '';
      wordBytes = 0;
    }
    word += char;
    wordBytes += charBytes;
  }
  words.push(word);
  return words.map((part) => `=?UTF-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}

/** So that the first line of a short header stays within the 76 characters of RFC 2047 section 2: 48 in base64 and 12 around. */
const WORD_MAX_BYTES = 36;

/** @returns a header's text as encoded words (RFC 2047), one a line: what it holds is decoded once, into that text */
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

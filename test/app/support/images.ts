/** Files as small as they can be and still be told by their bytes. */
export const IMAGES = {
  'image/png': Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
    'base64',
  ),
  'image/gif': Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'),
  'image/jpeg': Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex'),
  'image/webp': Buffer.from('UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==', 'base64'),
  'image/avif': Buffer.concat([
    Buffer.from('0000001c', 'hex'),
    Buffer.from('ftypavif'),
    Buffer.alloc(4),
    Buffer.from('avifmif1miaf'),
  ]),
} as const;

export interface Part {
  /** Of the form field; left out, the part has no name. */
  readonly name?: string;
  /** Makes the part a file. */
  readonly filename?: string;
  readonly type?: string;
  readonly content: Buffer | string;
}

export const BOUNDARY = 'a-boundary';

/** The headers and the body of a form, as RFC 7578 has it. */
export function form(...parts: readonly Part[]): { headers: { 'Content-Type': string }; body: Buffer } {
  const pieces = parts.flatMap(({ name, filename, type, content }) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data`,
    name === undefined ? '' : `; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    type === undefined ? '' : `\r\nContent-Type: ${type}`,
    '\r\n\r\n',
    content,
    '\r\n',
  ]);
  const body = Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece as string)));
  return { headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }, body };
}

/** A form with one file in the field `file`. */
export function upload(content: Buffer, filename = 'cover.png', type = 'image/png') {
  return form({ name: 'file', filename, type, content });
}

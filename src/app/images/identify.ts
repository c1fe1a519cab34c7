import { webcrypto } from 'node:crypto';
import { Failure } from '../../platform/errors.ts';
import { invalidRequest } from '../../worker/middleware/validate.ts';
import { IMAGE_TYPES, type ImageMeta } from './schema.ts';

/**
 * Names an image by what its bytes are, whatever its sender called them.
 * @param field the form field to blame
 * @throws Failure unsupported_media_type for a file of a known other type, invalid_request for an unknown one
 */
export async function identify(bytes: Buffer<ArrayBuffer>, field: string): Promise<ImageMeta> {
  const type = await imageType(bytes, field);
  // Off the event loop: 5 MiB take milliseconds.
  const digest = await webcrypto.subtle.digest('SHA-256', bytes);
  return { id: Buffer.from(digest).toString('base64url'), type, sizeBytes: bytes.length };
}

async function imageType(bytes: Buffer, field: string): Promise<ImageMeta['type']> {
  const expected = 'expected a PNG, JPEG, WebP, GIF or AVIF image';
  // Loaded with the first upload: most workers' lives pass without one.
  const { fileTypeFromBuffer } = await import('file-type');
  const mime = (await fileTypeFromBuffer(bytes).catch(() => undefined))?.mime;
  if (mime === undefined) throw invalidRequest([{ field, message: expected }]);
  // An animated PNG is a PNG to whoever does not animate it.
  const known = IMAGE_TYPES.find((type) => type === (mime === 'image/apng' ? 'image/png' : mime));
  if (known === undefined) {
    throw new Failure('unsupported_media_type', `The file is ${mime}`, {
      errors: [{ field, message: expected }],
    });
  }
  return known;
}

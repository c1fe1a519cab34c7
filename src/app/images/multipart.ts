import type { IncomingMessage } from 'node:http';
import type { BusboyInstance } from '@fastify/busboy';
import { Failure } from '../../platform/errors.ts';
import { invalidRequest } from '../../worker/middleware/validate.ts';

const MULTIPART_TYPE = /^multipart\/form-data[\t ]*(?:;|$)/i;
/** Parts beyond the one that counts are read over, up to these bounds. */
const PARTS_MAX = 16;
const HEADER_PAIRS_MAX = 32;
const HEADER_MAX_BYTES = 8 * 1024;

export interface FileOptions {
  /** The form field that must hold the file. */
  readonly field: string;
  readonly maxBytes: number;
}

/** @throws Failure unsupported_media_type when the request does not claim to be multipart/form-data */
export function requireMultipart(req: IncomingMessage): void {
  if (MULTIPART_TYPE.test(req.headers['content-type'] ?? '')) return;
  throw new Failure('unsupported_media_type', 'The body must be multipart/form-data', {
    headers: { Accept: 'multipart/form-data' },
  });
}

/**
 * Finds the one file of a whole multipart body (RFC 7578). Other fields that are no files are ignored.
 *
 * @param contentType the request's Content-Type, with the boundary
 * @returns the file's bytes, at least one
 * @throws Failure malformed_request (no boundary, broken multipart), too_large, invalid_request (no file, more
 *   than one, another field's, or an empty one)
 */
export async function fileOf(
  contentType: string,
  body: Buffer,
  options: FileOptions,
): Promise<Buffer<ArrayBuffer>> {
  const parser = await createParser(contentType, options.maxBytes);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer<ArrayBuffer>>();
  const names: string[] = [];
  const chunks: Buffer<ArrayBuffer>[] = [];

  parser.on('file', (name, stream) => {
    names.push(name);
    stream.on('data', (chunk: Buffer<ArrayBuffer>) => chunks.push(chunk));
    stream.on('limit', () => reject(tooLarge(options.maxBytes)));
    stream.on('error', () => reject(broken()));
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit']) {
    parser.on(limit, () => reject(wrongFile(options.field, 'expected one file and few other fields')));
  }
  parser.on('error', () => reject(broken()));
  parser.on('finish', () => {
    const [name] = names;
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (names.length !== 1) reject(wrongFile(options.field, `expected one file, got ${names.length}`));
    else if (name !== options.field) reject(wrongFile(options.field, 'expected the file in this field'));
    else if (bytes.length === 0) reject(wrongFile(options.field, 'expected a file that is not empty'));
    else resolve(bytes);
  });
  parser.end(body);
  return promise;
}

async function createParser(contentType: string, maxBytes: number): Promise<BusboyInstance> {
  // Loaded with the first upload: most workers' lives pass without one.
  const { Busboy } = await import('@fastify/busboy');
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        fileSize: maxBytes,
        parts: PARTS_MAX,
        headerPairs: HEADER_PAIRS_MAX,
        headerSize: HEADER_MAX_BYTES,
      },
    });
  } catch (cause) {
    throw new Failure('malformed_request', 'The Content-Type has no boundary', { cause });
  }
}

function broken(): Failure {
  return new Failure('malformed_request', 'The body is not valid multipart/form-data');
}

function tooLarge(maxBytes: number): Failure {
  return new Failure('too_large', `The file may have at most ${maxBytes} bytes`);
}

function wrongFile(field: string, message: string): Failure {
  return invalidRequest([{ field, message }]);
}

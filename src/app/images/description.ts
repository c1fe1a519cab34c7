import { z } from 'zod';
import type { ContentDescription, RouteDescription } from '../../worker/openapi/route-description.ts';
import { IMAGE_MAX_BYTES, IMAGE_TYPES, imageId } from './schema.ts';

const EXAMPLE_ID = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
const UPLOADED: ContentDescription = {
  'application/json': {
    schema: z.object({ id: imageId, movie_url: z.url() }).meta({ id: 'UploadedImage' }),
    example: { id: EXAMPLE_ID, movie_url: `https://api.example.org/movie/image/${EXAMPLE_ID}` },
  },
};
/** As OpenAPI 3.0 has it: generators of clients know it better than the word of 3.1, which is no schema at all. */
const BYTES = { type: 'string', format: 'binary' };
const LOCATION = { Location: 'Where the image is.' };

/** What clients are told of the images' routes. */
export const description: readonly RouteDescription[] = [
  {
    method: 'post',
    path: '/movie/image',
    scope: 'write',
    id: 'putImage',
    summary: 'Upload a cover image',
    detail: `A PNG, JPEG, WebP, GIF or AVIF image of at most ${IMAGE_MAX_BYTES} bytes. What counts is its bytes, not what it is called.`,
    body: {
      'multipart/form-data': {
        schema: z
          .object({ file: z.unknown().meta({ ...BYTES, contentMediaType: 'application/octet-stream' }) })
          .meta({ id: 'ImageUpload' }),
      },
    },
    answers: {
      201: { description: 'The image is new to you.', content: UPLOADED, headers: LOCATION },
      200: { description: 'You have the identical image already.', content: UPLOADED, headers: LOCATION },
    },
    errors: ['quota_exceeded'],
  },
  {
    method: 'get',
    path: '/movie/image/:id',
    scope: 'read',
    id: 'getImage',
    summary: 'Download a cover image',
    params: {
      id: { schema: imageId, description: 'The SHA-256 of its bytes in base64url.', example: EXAMPLE_ID },
    },
    headers: { 'If-None-Match': { schema: z.string(), description: 'The ETag of what the client has.' } },
    answers: {
      200: {
        description: 'Its bytes. They never change.',
        // The last is never sent: generators that know no image types make bytes of it, and would else leave the answer out.
        content: Object.fromEntries(
          [...IMAGE_TYPES, 'application/octet-stream'].map((type) => [type, { schema: BYTES }]),
        ),
        headers: { ETag: 'The id.' },
      },
      304: { description: 'The client has it.' },
    },
    errors: ['not_found'],
  },
];

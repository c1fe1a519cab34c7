import { z } from 'zod';

export const IMAGE_MAX_BYTES = 5 * 1024 * 1024;
export const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/avif'] as const;

/** SHA-256 in base64url without padding: 43 characters, of which the last carries four bits. */
export const imageId = z.string().regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/, 'expected the id of an image');

/** What is kept of an image beside its bytes. */
export const imageMeta = z.object({
  id: imageId,
  type: z.enum(IMAGE_TYPES),
  sizeBytes: z.int().min(1).max(IMAGE_MAX_BYTES),
});
export type ImageMeta = z.infer<typeof imageMeta>;

/** An image for an owner. The quota is the writer's to know; releases before took it from here. */
export const upload = imageMeta.extend({ owner: z.string(), quotaBytes: z.int().nonnegative().optional() });

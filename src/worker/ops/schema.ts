import { z } from 'zod';

/** What `POST /ops/session` takes. */
export const opsLink = z
  .object({ token: z.string('expected what stands behind the # of a link').max(200) })
  .meta({ id: 'OpsLink' });

/** What it answers. */
export const opsSession = z
  .object({ session: z.string(), expires_in_seconds: z.int() })
  .meta({ id: 'OpsSession' });

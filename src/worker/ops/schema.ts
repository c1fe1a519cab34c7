import { z } from 'zod';

/** The body of `POST /ops/session`. */
export const opsLink = z
  .object({ token: z.string('expected what stands behind the # of a link').max(200) })
  .meta({ id: 'OpsLink' });

/** The answer of `POST /ops/session`. */
export const opsSession = z
  .object({ session: z.string(), expires_in_seconds: z.int() })
  .meta({ id: 'OpsSession' });

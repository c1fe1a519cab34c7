import { z } from 'zod';

export const SCOPES = ['read', 'write', 'admin', 'metrics'] as const;
export type KeyScope = (typeof SCOPES)[number];

const LABEL_EXPECTED = 'expected 1 to 64 letters, digits, and . _ @ - behind the first';
const label = z.string(LABEL_EXPECTED).regex(/^[a-z\d][\w.@-]{0,63}$/i, LABEL_EXPECTED);

export const keyId = z.string().regex(/^[0-9a-f]{16}$/);

/** What a person calls a key. */
export const keyName = label.refine((name) => !keyId.safeParse(name).success, 'expected no id of a key');

/** Whose data a key reaches; empty for what was made while there were no keys. */
export const keyOwner = z.union([z.literal(''), label]);

export const keyScope = z.enum(SCOPES, 'expected read, write, admin or metrics');

const secretHash = z.string().regex(/^[0-9a-f]{64}$/);
const timeMs = z.int().nonnegative();

/** Of keys that reach nobody's data; no label, so that no other key has it. */
export const NO_OWNER = ':metrics';

/** The secret itself never leaves the process that made it. */
export const newKey = z.object({
  id: keyId,
  name: keyName,
  owner: keyOwner,
  scope: keyScope,
  secretHash,
  expiresAtMs: timeMs.nullable(),
});

/** Names a key that is not revoked, by its id or its name. */
const key = z.string();

export const revocation = z.object({ key });

export const rotation = z.object({
  key,
  secretHash,
  /** How long the secret before is still taken. */
  graceMs: z.int().nonnegative(),
  /** Left out, it expires when it would have. */
  expiresAtMs: timeMs.nullable().optional(),
  /** Ends a secret that is still in its grace. */
  force: z.boolean().optional(),
});

export const uses = z.object({ uses: z.array(z.object({ id: keyId, atMs: timeMs })) });

import { z } from 'zod';

export const SCOPES = ['read', 'write', 'admin', 'metrics'] as const;
export type KeyScope = (typeof SCOPES)[number];

const LABEL_EXPECTED = 'expected 1 to 64 letters, digits, and . _ @ - behind the first';
const label = z.string(LABEL_EXPECTED).regex(/^[a-z\d][\w.@-]{0,63}$/i, LABEL_EXPECTED);

export const keyId = z.string().regex(/^[0-9a-f]{16}$/);

/** The name of a key, for people. */
export const keyName = label.refine((name) => !keyId.safeParse(name).success, 'expected no id of a key');

/** The owner whose data a key reaches; empty for data that was made while there were no keys. */
export const keyOwner = z.union([z.literal(''), label]);

export const keyScope = z.enum(SCOPES, 'expected read, write, admin or metrics');

const secretHash = z.string().regex(/^[0-9a-f]{64}$/);
const timeMs = z.int().nonnegative();

/** The owner of keys that reach nobody's data. It is not a valid label, so no other key can have it. */
export const NO_OWNER = ':metrics';

/** A new key. Only the hash is sent: the secret never leaves the process that made it. */
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
  /** How long the previous secret is still accepted. */
  graceMs: z.int().nonnegative(),
  /** When left out, the key's expiry stays as it was. */
  expiresAtMs: timeMs.nullable().optional(),
  /** Allows the rotation to end a secret that is still in its grace time. */
  force: z.boolean().optional(),
});

export const uses = z.object({ uses: z.array(z.object({ id: keyId, atMs: timeMs })) });

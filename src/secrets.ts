/** Those that whoever reads or writes the replica needs. */
export const REPLICA_SECRETS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
export const SECRET_NAMES = [...REPLICA_SECRETS, 'SMTP_URL'] as const;
export type SecretName = (typeof SECRET_NAMES)[number];

/** What only the process that needs it may know. Never logged, never written. */
export type Secrets = Readonly<Partial<Record<SecretName, string>>>;

/** @returns the secrets of these names that are set: what one process is given, or finds that it was given */
export function pickSecrets(from: NodeJS.ProcessEnv | Secrets, names: readonly SecretName[]): Secrets {
  return Object.fromEntries(names.flatMap((name) => (from[name] ? [[name, from[name]] as const] : [])));
}

/** What opens the replica. */
export const REPLICA_CREDENTIALS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
] as const;

/** Where credentials of a role are to be had, by the names that AWS documents. No secrets, and no business of others. */
export const CREDENTIAL_SOURCES = [
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_EC2_METADATA_DISABLED',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT',
] as const;

/** Those that whoever reads or writes the replica needs. */
export const REPLICA_SECRETS = [...REPLICA_CREDENTIALS, ...CREDENTIAL_SOURCES] as const;
/** Whoever knows them can write to the operator, or keep the operator from being told. */
export const NOTIFY_SECRETS = ['NOTIFY_URL', 'HEARTBEAT_URL'] as const;
/** Whoever knows it can keep the other system from taking over. */
export const PEER_SECRETS = ['PEER_SECRET'] as const;
export const SECRET_NAMES = [...REPLICA_SECRETS, 'SMTP_URL', ...NOTIFY_SECRETS, ...PEER_SECRETS] as const;
/** Those that a process of an app may be given, beside the ones that its features declare. */
export const APP_SECRETS = ['SMTP_URL'] as const;
export type SecretName = (typeof SECRET_NAMES)[number];

/** What only the process that needs it may know. Never logged, never written. */
export type Secrets = Readonly<Partial<Record<SecretName, string>>>;

/** @returns the secrets of these names that are set: what one process is given, or finds that it was given */
export function pickSecrets(from: NodeJS.ProcessEnv | Secrets, names: readonly SecretName[]): Secrets {
  return Object.fromEntries(names.flatMap((name) => (from[name] ? [[name, from[name]] as const] : [])));
}

/**
 * Takes out of the environment of this process what no child is to inherit. What tells where credentials of a role are to be
 * had stays, since it is looked up there; `fork` keeps it from children.
 */
export function hideSecrets(env: NodeJS.ProcessEnv): void {
  const stays: readonly string[] = [...CREDENTIAL_SOURCES, 'AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  for (const name of SECRET_NAMES) if (!stays.includes(name)) delete env[name];
}

/** @returns what must never be shown */
export function shownNever(from: NodeJS.ProcessEnv | Secrets): readonly string[] {
  const names = [...REPLICA_CREDENTIALS, 'SMTP_URL', ...NOTIFY_SECRETS, ...PEER_SECRETS] as const;
  return Object.values(pickSecrets(from, names)).filter((value) => value !== undefined);
}

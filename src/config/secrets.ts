/** The credentials of the replica. */
export const REPLICA_CREDENTIALS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
] as const;

/** Where the credentials of a role come from, by AWS's documented names. No secrets, but others need not know them. */
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

/** For the processes that read or write the replica. */
export const REPLICA_SECRETS = [...REPLICA_CREDENTIALS, ...CREDENTIAL_SOURCES] as const;
/** Secrets, because who knows them can write to the operator, or fake the heartbeat. */
export const NOTIFY_SECRETS = ['NOTIFY_URL', 'HEARTBEAT_URL'] as const;
/** A secret, because who knows it can keep the other system from taking over. */
export const PEER_SECRETS = ['PEER_SECRET'] as const;
export const SECRET_NAMES = [...REPLICA_SECRETS, 'SMTP_URL', ...NOTIFY_SECRETS, ...PEER_SECRETS] as const;
/** Secrets of the chassis that a process of an app may be given, besides those that its features declare. */
export const APP_SECRETS = ['SMTP_URL'] as const;
export type SecretName = (typeof SECRET_NAMES)[number];

/** Secrets, given only to the processes that need them. Never logged, never written. */
export type Secrets = Readonly<Partial<Record<SecretName, string>>>;

/** @returns the secrets with these names that are set: to give them to a process, or to read them there */
export function pickSecrets(from: NodeJS.ProcessEnv | Secrets, names: readonly SecretName[]): Secrets {
  return Object.fromEntries(names.flatMap((name) => (from[name] ? [[name, from[name]] as const] : [])));
}

/**
 * Removes the secrets from the environment of this process, so that no child inherits them. Where the credentials of a
 * role come from (CREDENTIAL_SOURCES and their token) stays, since it is looked up there; `fork` hides it from
 * children.
 */
export function hideSecrets(env: NodeJS.ProcessEnv): void {
  const stays: readonly string[] = [...CREDENTIAL_SOURCES, 'AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  for (const name of SECRET_NAMES) if (!stays.includes(name)) delete env[name];
}

/** @returns the values that must never be shown */
export function shownNever(from: NodeJS.ProcessEnv | Secrets): readonly string[] {
  const names = [...REPLICA_CREDENTIALS, 'SMTP_URL', ...NOTIFY_SECRETS, ...PEER_SECRETS] as const;
  return Object.values(pickSecrets(from, names)).filter((value) => value !== undefined);
}

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { pickSecrets, REPLICA_SECRETS, type Secrets } from '../config/secrets.ts';
import { dyingWithParent, type Invocation } from '../platform/dying-with-parent.ts';
import type { LitestreamBinary } from './binary.ts';
import { namedAuthorities } from './store/reach.ts';

export { LogRelay } from './log-relay.ts';

/** The variables that Litestream and its libraries read; it gets nothing else of this process's environment. */
const PASSED_VARIABLES = [
  'PATH',
  'HOME',
  'TZ',
  'TMPDIR',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NINELIVES_DATA_DIR',
] as const;

/**
 * @param configPath what `writeLitestreamConfig` returned
 * @returns how to start the replication. Where the system supports it, Litestream dies with the process that starts it,
 *   even if that is killed; then it must be started from the main thread. A process that never waits for a lock of the
 *   database must read its output: Litestream logs while it holds one.
 */
export function replicateCommand(binary: LitestreamBinary, configPath: string): Invocation {
  return dyingWithParent(binary.path, ['replicate', ...configArguments(configPath)]);
}

/** Our configuration has no variables: a `$` in a path is a part of its name. */
export function configArguments(configPath: string): string[] {
  return ['-config', configPath, '-no-expand-env'];
}

export interface EnvironmentOptions {
  readonly config: Pick<Config, 'replica' | 'AWS_REGION'>;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
}

/**
 * @param env this process's environment
 * @param secrets the credentials; Litestream gets them in no other way
 * @returns the environment to start Litestream with
 * @throws Failure config_invalid when a file of authorities cannot be read
 */
export function litestreamEnv(
  env: NodeJS.ProcessEnv,
  secrets: Secrets,
  { config, configPath }: EnvironmentOptions,
): Record<string, string> {
  const passed = PASSED_VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  const isRole = config.replica.type === 's3' && !secrets.AWS_ACCESS_KEY_ID;
  return {
    ...Object.fromEntries(passed),
    ...(config.replica.type === 's3' && authoritiesFor(env, dirname(configPath))),
    // Only without keys it may look for the credentials of a role, in the instance's metadata too.
    ...(isRole
      ? { AWS_SDK_LOAD_CONFIG: 'true', AWS_REGION: config.AWS_REGION }
      : { AWS_EC2_METADATA_DISABLED: 'true' }),
    // Only our configuration says where the store is: 0.5 would read ~/.aws/config as well.
    ...(config.replica.type === 's3' && { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }),
    ...pickSecrets(secrets, REPLICA_SECRETS),
  };
}

/** Joins all named authorities into one file: Litestream reads only one, and no variable that only Node.js knows. */
function authoritiesFor(env: NodeJS.ProcessEnv, folder: string): Record<string, string> {
  if (!env.AWS_CA_BUNDLE && !env.NODE_EXTRA_CA_CERTS) return {};
  const path = join(folder, 'authorities.pem');
  writeFileSync(path, namedAuthorities(env) ?? '', { mode: 0o600 });
  return { SSL_CERT_FILE: path };
}

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { pickSecrets, REPLICA_SECRETS, type Secrets } from '../config/secrets.ts';
import { dyingWithParent, type Invocation } from '../platform/dying-with-parent.ts';
import type { LitestreamBinary } from './binary.ts';
import { namedAuthorities } from './store/reach.ts';

export { LogRelay } from './log-relay.ts';

/** What Litestream and the libraries in it read, and nothing else of what this process was given. */
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
 * @returns how to start the replication. Where the system can do that, it dies with the process that starts it,
 *   even if that is killed; it must then be started from the main thread. Its output must be read by a process
 *   that never waits for a lock of the database: Litestream logs while it holds one.
 */
export function replicateCommand(binary: LitestreamBinary, configPath: string): Invocation {
  return dyingWithParent(binary.path, ['replicate', ...configArguments(configPath)]);
}

/** The paths in our configuration are final: a `$` in one is a part of its name. */
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
 * @param secrets the credentials, which reach Litestream in no other way
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
    // It looks for other credentials in the network only where there are none.
    ...(isRole
      ? { AWS_SDK_LOAD_CONFIG: 'true', AWS_REGION: config.AWS_REGION }
      : { AWS_EC2_METADATA_DISABLED: 'true' }),
    // Where the store is only the configuration says, and not ~/.aws/config too, which 0.5 would read.
    ...(config.replica.type === 's3' && { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }),
    ...pickSecrets(secrets, REPLICA_SECRETS),
  };
}

/** Litestream reads one file of authorities, beside the system's, and has no name for those that only Node.js reads. */
function authoritiesFor(env: NodeJS.ProcessEnv, folder: string): Record<string, string> {
  if (!env.AWS_CA_BUNDLE && !env.NODE_EXTRA_CA_CERTS) return {};
  const path = join(folder, 'authorities.pem');
  writeFileSync(path, namedAuthorities(env) ?? '', { mode: 0o600 });
  return { SSL_CERT_FILE: path };
}

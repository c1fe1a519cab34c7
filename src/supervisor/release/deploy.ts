import { join } from 'node:path';
import { pickSecrets, SECRET_NAMES } from '../../config/secrets.ts';
import { CHILD_PROTOCOL } from '../../messages/messages.ts';
import { Failure } from '../../platform/errors.ts';
import { findLitestream } from '../../replication/binary.ts';
import { WRITER_PROTOCOL } from '../../writer-client/protocol.ts';
import { appSecretsOf } from './app-settings.ts';
import type { Deployment } from './deployment.ts';
import { type Inspection, refusalOf } from './inspection.ts';
import { nameOf } from './name-of.ts';
import type { Releases } from './releases.ts';
import type { StoredRelease } from './store.js';

const RESTART =
  'Restart the system to bring it in: systemctl restart ninelives, or ninelives stop and start; under ninelives.socket no connection is refused meanwhile';

export interface DeployOptions {
  readonly release: StoredRelease;
  /** The deployment that runs, which the release is to follow. */
  readonly running: Deployment;
  readonly releases: Releases;
  /** The settings as they are now. */
  readonly env: NodeJS.ProcessEnv;
  /** The settings as they were when the primary started. */
  readonly startedEnv: NodeJS.ProcessEnv;
}

/** A release that can follow the running one, and what it says of the databases. */
export interface Deployable {
  readonly deployment: Deployment;
  readonly compatibility: Inspection['compatibility'];
}

/**
 * Asks a release what it is, and whether this primary can bring it into service. Exchanges nothing.
 * @throws Failure release_unusable, config_invalid, restart_needed, migration_mismatch, litestream_missing
 */
export async function deployable(options: DeployOptions): Promise<Deployable> {
  const { release, running, releases, env, startedEnv } = options;
  const inspection = await releases.inspect(release, running.config, env);
  const refusal = refusalOf(inspection);
  // Checked first: the restart that the other refusals advise would fail for this reason.
  if (refusal !== undefined)
    throw new Failure('migration_mismatch', `Release ${nameOf(release)}: ${refusal}`);
  refuseOtherProtocols(release, inspection);
  refuseOtherNode(release, inspection);
  const changed = inspection.restartSettings.filter((name) => (env[name] || '') !== (startedEnv[name] || ''));
  if (changed.length > 0) {
    const verb = changed.length === 1 ? 'has' : 'have';
    throw new Failure(
      'restart_needed',
      `${changed.join(', ')} ${verb} changed, which a reload cannot bring in. ${RESTART}`,
    );
  }
  // An older release, from before apps had settings or metrics, tells none.
  const { config, databases, backgrounds, compatibility, settings = [], metrics = {} } = inspection;
  if (databases.join() !== running.databases.join()) {
    throw new Failure(
      'restart_needed',
      `Release ${nameOf(release)} has the databases ${databases.join(', ')}, and ${running.databases.join(', ')} are replicated. ${RESTART}`,
    );
  }
  const litestream = await findLitestream({
    litestreamBin: config.LITESTREAM_BIN,
    packages: join(release.folder, 'package.json'),
  });
  if (litestream.format !== running.litestream.format) {
    throw new Failure(
      'restart_needed',
      `Litestream ${litestream.version} writes another format than ${running.litestream.version}, which runs. ${RESTART}`,
    );
  }
  const deployment: Deployment = {
    release,
    // The replica does not change without a restart. Of two systems (FAILOVER=lease) it is a folder below REPLICA_URL.
    config: { ...config, replica: running.config.replica },
    secrets: pickSecrets(env, SECRET_NAMES),
    appSecrets: appSecretsOf({ settings }, env),
    litestream,
    litestreamConfigPath: running.litestreamConfigPath,
    databases,
    backgrounds,
    settings,
    metrics,
  };
  return { deployment, compatibility };
}

function refuseOtherProtocols(release: StoredRelease, { protocols }: Inspection): void {
  if (protocols.child === CHILD_PROTOCOL && protocols.writer === WRITER_PROTOCOL) return;
  throw new Failure(
    'restart_needed',
    `Release ${nameOf(release)} has other messages between its processes (${protocols.child}.${protocols.writer}; this primary has ${CHILD_PROTOCOL}.${WRITER_PROTOCOL}). ${RESTART}`,
  );
}

function refuseOtherNode(release: StoredRelease, { nodeVersion }: Inspection): void {
  const own = process.versions.node;
  if (majorOf(nodeVersion) === majorOf(own)) return;
  throw new Failure(
    'restart_needed',
    `Release ${nameOf(release)} runs Node.js ${nodeVersion}, and this primary ${own}. ${RESTART}`,
  );
}

function majorOf(version: string): string | undefined {
  return version.split('.')[0];
}

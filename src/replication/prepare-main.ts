import type { ToldCommit } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { pickSecrets, REPLICA_SECRETS } from '../secrets.ts';
import type { LitestreamBinary } from './binary.ts';
import { litestreamEnv } from './litestream.ts';
import { prepareDatabases } from './prepare.ts';

/** What the primary gives the preparing process; the credentials come in its environment. */
export interface PrepareInput {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  /** The last commit that a writer has told of, by database. */
  readonly lastCommits: Readonly<Record<string, ToldCommit>>;
  /** It serves already, and only the comparison with the replica is still to be made. */
  readonly isServing?: boolean;
}

/** The process that checks or restores the databases before anything else starts. */
export async function run({ config, log, send, standby }: Runtime): Promise<void> {
  const { litestream, litestreamConfigPath, databases, lastCommits, isServing } =
    (await standby()) as PrepareInput;
  send({ kind: 'ready' });
  const abort = new AbortController();
  process.on('SIGTERM', () => abort.abort());
  const secrets = pickSecrets(process.env, REPLICA_SECRETS);
  const prepared = await prepareDatabases({
    config,
    binary: litestream,
    configPath: litestreamConfigPath,
    databases,
    env: litestreamEnv(process.env, secrets, { config, configPath: litestreamConfigPath }),
    log,
    signal: abort.signal,
    lastCommits,
    isServing,
  });
  for (const { database, loss } of prepared) if (loss) send({ kind: 'restored', database, loss });
  log.flush(() => process.exit(0));
}

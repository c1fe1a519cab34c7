import type { Bond } from '../child/child.ts';
import type { LitestreamBinary } from './binary.ts';
import { litestreamEnv } from './litestream.ts';
import { prepareDatabases } from './prepare.ts';

/** What the primary tells the preparing process at birth; the credentials come in its environment. */
export interface PrepareInput {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
}

/** The process that checks or restores the databases before anything else starts. */
export async function run({ config, log, input }: Bond): Promise<void> {
  const { litestream, litestreamConfigPath, databases } = input as PrepareInput;
  const abort = new AbortController();
  process.on('SIGTERM', () => abort.abort());
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  const secrets = {
    ...(AWS_ACCESS_KEY_ID && { AWS_ACCESS_KEY_ID }),
    ...(AWS_SECRET_ACCESS_KEY && { AWS_SECRET_ACCESS_KEY }),
  };
  await prepareDatabases({
    config,
    binary: litestream,
    configPath: litestreamConfigPath,
    databases,
    env: litestreamEnv(process.env, secrets),
    log,
    signal: abort.signal,
  });
  log.flush(() => process.exit(0));
}

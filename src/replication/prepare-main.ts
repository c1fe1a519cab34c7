import { startChild } from '../child/child.ts';
import type { LitestreamBinary } from './binary.ts';
import { litestreamEnv } from './litestream.ts';
import { prepareDatabases } from './prepare.ts';

interface Input {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
}

/** The entry of the process that checks or restores the databases before anything else starts. */
const { config, log, input } = startChild(() => {});
const { litestream, litestreamConfigPath, databases } = input as Input;
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
process.exit(0);

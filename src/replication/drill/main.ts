import { constants, setPriority } from 'node:os';
import type { Runtime } from '../../runtime/runtime.ts';
import { pickSecrets, REPLICA_SECRETS } from '../../secrets.ts';
import type { LitestreamBinary } from '../binary.ts';
import { litestreamEnv } from '../litestream.ts';
import { Confirmations } from './confirmations.ts';
import { runDrill } from './drill.ts';
import { pastDue, readRecord } from './record.ts';

/** What an upload may take beyond the pace of the uploads, when the store is slow. */
const CONFIRM_GRACE_MS = 30_000;

/** What the primary gives the drilling process; the credentials come in its environment. */
export interface DrillInput {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
}

/** The process that does one drill. The primary tells it what the replica confirms. */
export async function run({ config, log, send, onMessage, standby }: Runtime): Promise<void> {
  // Whatever it starts inherits this.
  setPriority(constants.priority.PRIORITY_LOW);
  const confirmations = new Confirmations();
  onMessage((message) => {
    if (message.kind === 'replicated') confirmations.note(message);
  });
  const { litestream, litestreamConfigPath, databases } = (await standby()) as DrillInput;
  const secrets = pickSecrets(process.env, REPLICA_SECRETS);
  const result = await runDrill({
    config,
    binary: litestream,
    configPath: litestreamConfigPath,
    databases,
    env: litestreamEnv(process.env, secrets, { config, configPath: litestreamConfigPath }),
    log,
    past: pastDue(readRecord(config.DATA_DIR), Date.now()),
    confirmations,
    confirmTimeoutMs: CONFIRM_GRACE_MS + 2 * config.REPLICA_SYNC_INTERVAL_MS,
  });
  send({ kind: 'drilled', result });
  log.flush(() => process.exit(0));
}

import { constants, setPriority } from 'node:os';
import type { Runtime } from '../../runtime/runtime.ts';
import { pickSecrets, REPLICA_SECRETS } from '../../secrets.ts';
import { WriterClient } from '../../writer/client.ts';
import { REPLICATED_QUESTION, type ReplicatedRequest, writerSocketPath } from '../../writer/protocol.ts';
import type { LitestreamBinary } from '../binary.ts';
import { litestreamEnv } from '../litestream.ts';
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

/** The process that does one drill. The writer tells it when the replica holds what it looks for. */
export async function run({ config, log, send, role, standby }: Runtime): Promise<void> {
  // Whatever it starts inherits this.
  setPriority(constants.priority.PRIORITY_LOW);
  const { litestream, litestreamConfigPath, databases } = (await standby()) as DrillInput;
  const writer = new WriterClient({
    socketPath: writerSocketPath(config.DATA_DIR),
    name: role,
    deadlineMs: config.WRITE_DEADLINE_MS,
    queueMax: 1,
    log,
  });
  writer.connect();
  const secrets = pickSecrets(process.env, REPLICA_SECRETS);
  const result = await runDrill({
    config,
    binary: litestream,
    configPath: litestreamConfigPath,
    databases,
    env: litestreamEnv(process.env, secrets, { config, configPath: litestreamConfigPath }),
    log,
    past: pastDue(readRecord(config.DATA_DIR), Date.now()),
    whenReplicated: async (database, timeoutMs) => {
      const request: ReplicatedRequest = { database, timeoutMs };
      return (await writer.write(REPLICATED_QUESTION, request, { replicatedTimeoutMs: timeoutMs })) === true;
    },
    confirmTimeoutMs: CONFIRM_GRACE_MS + 2 * config.REPLICA_SYNC_INTERVAL_MS,
  });
  send({ kind: 'drilled', result });
  log.flush(() => process.exit(0));
}

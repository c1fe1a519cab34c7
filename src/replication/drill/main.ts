import { constants, setPriority } from 'node:os';
import type { Runtime } from '../../runtime/runtime.ts';
import { WriterClient } from '../../writer/client.ts';
import { REPLICATED_QUESTION, type ReplicatedRequest, writerSocketPath } from '../../writer/protocol.ts';
import { type ReplicaInput, replicaOf } from '../replica-context.ts';
import { runDrill } from './drill.ts';
import { pastDue, readRecord } from './record.ts';

/** What an upload may take beyond the pace of the uploads, when the store is slow. */
const CONFIRM_GRACE_MS = 30_000;

/** The process that does one drill. The writer tells it when the replica holds what it looks for. */
export async function run({ config, log, send, role, standby }: Runtime): Promise<void> {
  // Whatever it starts inherits this.
  setPriority(constants.priority.PRIORITY_LOW);
  const replica = replicaOf({ config, log }, (await standby()) as ReplicaInput);
  const writer = new WriterClient({
    socketPath: writerSocketPath(config.DATA_DIR),
    name: role,
    deadlineMs: config.WRITE_DEADLINE_MS,
    queueMax: 1,
    log,
  });
  writer.connect();
  const result = await runDrill({
    ...replica,
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

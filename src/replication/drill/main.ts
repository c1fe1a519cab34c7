import { constants, setPriority } from 'node:os';
import type { Runtime } from '../../runtime/runtime.ts';
import { writerClientOf } from '../../writer-client/client.ts';
import { REPLICATED_QUERY, type ReplicatedRequest } from '../../writer-client/protocol.ts';
import { type ReplicaInput, replicaOf } from '../replica-context.ts';
import { runDrill } from './drill.ts';
import { pastDue, readRecord } from './record.ts';

/** How long a confirmation may take beyond two sync intervals, when the store is slow. */
const CONFIRM_GRACE_MS = 30_000;

/** The process that does one drill. It asks the writer when the replica holds all that is committed. */
export async function run({ config, log, send, role, standby }: Runtime): Promise<void> {
  // The processes that it starts inherit the priority.
  setPriority(constants.priority.PRIORITY_LOW);
  const replica = replicaOf({ config, log }, (await standby()) as ReplicaInput);
  const writer = writerClientOf(config, { name: role, log, queueMax: 1 });
  writer.connect();
  const result = await runDrill({
    ...replica,
    past: pastDue(readRecord(config.DATA_DIR), Date.now()),
    whenReplicated: async (database, timeoutMs) => {
      const request: ReplicatedRequest = { database, timeoutMs };
      return (await writer.write(REPLICATED_QUERY, request, { replicatedTimeoutMs: timeoutMs })) === true;
    },
    confirmTimeoutMs: CONFIRM_GRACE_MS + 2 * config.REPLICA_SYNC_INTERVAL_MS,
  });
  send({ kind: 'drilled', result });
  log.flush(() => process.exit(0));
}

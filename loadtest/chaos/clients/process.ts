import { Random } from '../random.ts';
import { Lane } from './lane.ts';
import type { FromClients, ToClients } from './messages.ts';
import { isAcknowledged, type RequestRecord } from './record.ts';

const COUNTS_INTERVAL_MS = 50;
/** Records in one message: bounds what is serialized in one go. */
const CHUNK_RECORDS = 5000;

/** The clients' entry: a process of its own, so that nothing but the clients delays what they measure. */
const records: RequestRecord[] = [];
const counts = { requests: 0, failed: 0, acknowledged: 0, storageFull: 0 };
let lanes: Lane[] = [];

process.on('message', (message: ToClients) => {
  if (message.kind === 'start') start(message);
  else stop();
});
// Whoever started this is gone.
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole process group; the parent decides.
process.on('SIGINT', () => {});

function start(message: ToClients & { kind: 'start' }): void {
  const { url, kept, fresh, requestsPerSecond, prefix, seed, newField } = message;
  const intervalMs = (1000 * (kept + fresh)) / requestsPerSecond;
  lanes = Array.from({ length: kept + fresh }, (_, index) => {
    const random = new Random(seed, `${prefix}-${index}`);
    const keepAlive = index < kept;
    const lanePrefix = `${prefix}-${index}`;
    return new Lane({
      url,
      prefix: lanePrefix,
      intervalMs,
      keepAlive,
      newField,
      random: () => random.next(),
      onRecord,
    });
  });
  setInterval(() => tell({ kind: 'counts', counts }), COUNTS_INTERVAL_MS);
}

function onRecord(record: RequestRecord): void {
  records.push(record);
  counts.requests += 1;
  if (record.failure) counts.failed += 1;
  if (isAcknowledged(record)) counts.acknowledged += 1;
  if (record.status === 507) counts.storageFull += 1;
}

async function stop(): Promise<void> {
  await Promise.all(lanes.map((lane) => lane.stop()));
  tell({ kind: 'counts', counts });
  do {
    const chunk = records.splice(0, CHUNK_RECORDS);
    tell({ kind: 'history', records: chunk, isLast: records.length === 0 });
  } while (records.length > 0);
}

function tell(message: FromClients): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
